// What a silence would hold, while it is being written: now, and what it would have held of the last days.

import { fill, h, setData } from "/static/shared/dom.js";
import { age } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { serverNow } from "../time.js";
import { ruleName, severityBadge, summaryOf } from "../words.js";
import { previewSilence, refusalText } from "./asking.js";

const SETTLE_MS = 250;
const AT_ONCE = 5;

export class Preview {
  constructor() {
    Object.assign(this, { asked: 0, timer: null });
    this.body = h("div", { class: "stack" });
    this.node = h("section", { class: "preview", "aria-label": t("preview.title"), "aria-live": "polite" }, h("h3", { text: t("preview.title") }), this.body);
    this.none();
  }

  /** Nothing to ask about yet. */
  none() {
    clearTimeout(this.timer);
    this.asked++;
    setData(this.node, "state", "");
    fill(this.body, h("p", { class: "muted", text: t("preview.none") }));
  }

  /** Ask soon about `body`, as the API takes it. */
  of(body) {
    clearTimeout(this.timer);
    const mine = ++this.asked;
    setData(this.node, "state", "asking");
    this.timer = setTimeout(() => this.#ask(body, mine), SETTLE_MS);
  }

  async #ask(body, mine) {
    try {
      const found = await previewSilence(body);
      if (mine !== this.asked) return;
      setData(this.node, "state", "shown");
      this.#show(found);
    } catch (error) {
      if (mine !== this.asked) return;
      setData(this.node, "state", "refused");
      fill(this.body, h("p", { class: "problem" }, icon("warning"), " ", refusalText(error)));
    }
  }

  #show({ incidents, held_now: now, last_days: past }) {
    const most = Math.max(1, ...past.by_rule.map((one) => one.incidents));
    fill(
      this.body,
      h("p", { class: "preview-now" }, h("strong", { class: "figure", text: String(now) }), t("preview.now", { n: now })),
      incidents.length > 0 && h("ul", { class: "preview-list" }, incidents.slice(0, AT_ONCE).map(one)),
      now > AT_ONCE && h("p", { class: "muted small", text: t("preview.more", { n: now - AT_ONCE }) }),
      h("p", { class: "preview-past", text: t(past.incidents ? "preview.past" : "preview.past.none", { n: past.incidents, m: past.notifications, days: past.days }) }),
      past.whole === false && h("p", { class: "muted small", text: t("preview.not_whole") }),
      past.by_rule.length > 0 && h("table", { class: "preview-rules" }, h("tbody", {}, past.by_rule.slice(0, AT_ONCE).map((rule) => ruleRow(rule, most)))),
    );
  }
}

function ruleRow({ rule, incidents }, most) {
  const bar = h("span", { class: "preview-bar" });
  bar.style.width = `${Math.max(2, (100 * incidents) / most)}%`;
  return h("tr", {}, h("th", { scope: "row", text: ruleName(rule) }), h("td", {}, bar), h("td", { class: "num", text: String(incidents) }));
}

function one(incident) {
  return h(
    "li",
    { class: "row" },
    h("span", { class: "muted", text: `#${incident.id}` }),
    severityBadge(incident.severity),
    h("span", { class: "truncate", text: summaryOf(incident) }),
    h("span", { class: "muted small", text: age((serverNow() - Date.parse(incident.open_since ?? incident.opened_at)) / 1000) }),
  );
}
