// Silences and maintenance windows: in force, planned, over; each with what it is about, why, whose it is and how long it still lasts.

import { fill, h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { dateTime, duration } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { onTick } from "/static/shared/ticker.js";
import { actorName, mayAct } from "../actor.js";
import { serverNow } from "../time.js";
import { getSilence } from "./asking.js";
import { matcherChips, matchersText } from "./matchers.js";

const TONES = { in_force: "info", planned: "warning", over: "quiet" };
const ICONS = { in_force: "pause", planned: "timer", over: "ok" };

export class SilenceList {
  /** `onEnd(silence, by)`, `onAgain(silence)`: one like it. */
  constructor({ onEnd, onAgain }) {
    Object.assign(this, { onEnd, onAgain });
    this.node = h("ul", { class: "silences" });
    onTick(() => this.#tick());
  }

  show(silences) {
    keyed(this.node, silences, (one) => one.id, (one) => h("li", { class: "silence", id: `silence-${one.id}`, data: { id: one.id }, tabindex: "-1" }), (row, one) => this.#update(row, one));
  }

  #update(row, one) {
    const wanted = JSON.stringify([one, language(), mayAct(), matchersText(one.matchers)]);
    if (row.shown === wanted) return;
    row.shown = wanted;
    row.silence = one;
    setData(row, "standing", one.standing);
    const left = h("span", { class: "silence-left" });
    row.left = left;
    const history = h("div", { class: "stack silence-history", hidden: true });
    fill(
      row,
      h(
        "div",
        { class: "row silence-head" },
        h("span", { class: "badge", data: { tone: TONES[one.standing] } }, icon(ICONS[one.standing]), t(`silence.standing.${one.standing}`)),
        h("strong", { text: t(`silence.of.${one.kind}`, { n: one.id }) }),
        left,
        h("span", { class: "silence-tools row" }, this.#tools(one, history)),
      ),
      matcherChips(one.matchers),
      h("p", { class: "silence-reason", text: one.reason }),
      h("p", { class: "muted small", text: `${t("silence.meta", { who: one.by, from: dateTime(one.starts), to: dateTime(one.ends) })}${one.ended_by ? ` · ${t("silence.ended.by", { who: one.ended_by })}` : ""}` }),
      history,
    );
    this.#tick(row);
  }

  #tools(one, history) {
    const more = h("button", { class: "button quiet", type: "button", "aria-expanded": "false", text: t("silence.history") });
    more.addEventListener("click", async () => {
      const opens = history.hidden;
      more.setAttribute("aria-expanded", String(opens));
      setHidden(history, !opens);
      if (opens) await showHistory(history, one.id);
    });
    const again = mayAct() && h("button", { class: "button quiet", type: "button", text: t("silence.again"), on: { click: () => this.onAgain(one) } });
    const ends = mayAct() && one.standing !== "over" && one.may_end !== false;
    return [more, again, ends && this.#end(one)];
  }

  /** Asks once more: what it held is told at once, so a slip of the hand would wake people. In whose name, too, where nobody knows. */
  #end(one) {
    const words = t(one.standing === "planned" ? "silence.call_off" : "silence.end");
    const node = h("span", { class: "row" });
    const ask = () => {
      const by = actorName() ? null : h("input", { class: "input", maxlength: 80, autocomplete: "name", "aria-label": t("silence.by"), placeholder: t("silence.by") });
      const sure = h("button", { class: "button primary", type: "button", data: { action: "end-now" }, text: t("silence.end.sure") });
      sure.addEventListener("click", () => {
        const name = by ? by.value.trim() : actorName();
        if (name) this.onEnd(one, name);
        else by.focus();
      });
      fill(node, by, sure, h("button", { class: "button quiet", type: "button", text: t("silence.end.no"), on: { click: () => rest(true) } }));
      (by ?? sure).focus();
    };
    const rest = (focus = false) => {
      const button = h("button", { class: "button", type: "button", data: { action: "end" }, text: words, on: { click: ask } });
      fill(node, button);
      if (focus) button.focus();
    };
    rest();
    return node;
  }

  #tick(only = null) {
    for (const row of only ? [only] : this.node.children) {
      const { silence: one, left } = row;
      if (!one || !left) continue;
      const now = serverNow();
      const until = Date.parse(one.standing === "planned" ? one.starts : one.ends) - now;
      if (one.standing === "over") setText(left, "");
      else setText(left, t(one.standing === "planned" ? "silence.begins" : "silence.left", { duration: duration(until / 1000) }));
    }
  }
}

async function showHistory(node, id) {
  try {
    const { events = [] } = await getSilence(id);
    fill(node, h("ol", { class: "silence-events" }, events.map((one) => h("li", {}, h("time", { class: "muted", datetime: one.at, text: dateTime(one.at) }), " ", t(`silence.event.${one.kind}`, { who: one.by })))));
  } catch (error) {
    fill(node, h("p", { class: "problem", text: error.message }));
  }
}
