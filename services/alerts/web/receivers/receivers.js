// The receivers: by what each is told, whether that works, and a test message to find out.

import { fill, h, setText } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { actorName, mayAct, rememberName } from "../actor.js";
import { attempts } from "../detail/notifications.js";
import { listNotifications, testReceiver } from "../reports/asking.js";
import { spanOf } from "./spans.js";

const WORST_FIRST = { dead: 0, failing: 1 };
const RECENT = 5; // messages among which the last answer is looked for

export class ReceiverList {
  constructor({ onTested }) {
    Object.assign(this, { onTested, all: null, waits: false, answers: new Map(), last: new Map() });
    this.node = h("ul", { class: "receivers" });
  }

  show(all) {
    const rank = ({ state, channels }) => (channels.length ? (WORST_FIRST[state] ?? 2) : 0);
    this.all = [...all].sort((a, b) => rank(a) - rank(b));
    this.draw();
    this.lookUp();
  }

  /** How each answered the last time that something was sent to it. */
  async lookUp() {
    const found = await Promise.all(this.all.map(({ name }) => listNotifications({ receiver: name, limit: RECENT }).then(({ notifications }) => [name, notifications], () => [name, []])));
    for (const [name, sent] of found) {
      const last = sent.find(({ attempts: tries }) => tries.length)?.attempts.at(-1);
      this.last.set(name, last ?? null);
    }
    this.draw();
  }

  draw() {
    this.waits = this.node.querySelector("[data-action=test-now]") !== null; // for somebody who is about to say yes
    if (this.waits) return;
    fill(this.node, this.all === null ? h("li", { class: "muted", text: t("receivers.loading") }) : this.all.length ? this.all.map((one) => this.#row(one)) : h("li", { class: "muted", text: t("receivers.none") }));
  }

  #row(one) {
    const said = h("div", { class: "receiver-said", "aria-live": "polite" });
    const last = this.answers.get(one.name);
    if (last) fill(said, last());
    return h(
      "li",
      { class: "receiver", data: { name: one.name } },
      h("div", { class: "row" }, this.#state(one), h("strong", { text: one.name }), mayAct() && one.channels.length > 0 && h("span", { class: "receiver-tools" }, this.#test(one, said))),
      h("p", { class: one.channels.length ? "" : "problem", text: one.channels.length ? one.channels.join(", ") : t("receivers.no_channel") }),
      h("p", { class: "muted small", text: [t(`receivers.language.${one.language}`), t(`receivers.form.${one.form}`), t("receivers.limit", { n: one.burst, every: spanOf(one.every_s) }), one.then && t("receivers.then", { name: one.then })].filter(Boolean).join(" · ") }),
      said,
    );
  }

  /** What is known of the way to it: what the service makes of its answers, and how it answered last. */
  #state({ name, channels, state, since }) {
    const badge = (tone, word, title = null) => h("span", { class: "badge", data: { tone }, title }, icon({ ok: "ok", quiet: "offline" }[tone] ?? tone), t(`receivers.state.${word}`));
    if (!channels.length) return badge("critical", "nobody");
    const last = this.last.get(name);
    const title = last ? `${dateTime(last.at)} ${last.answer}`.trim() : null;
    if (state === "dead") return badge("critical", "dead", since ? t("receivers.since", { time: dateTime(since) }) : title);
    if (state === "failing") return badge("warning", "failing", since ? t("receivers.since", { time: dateTime(since) }) : title);
    if (!last) return badge("quiet", "unknown");
    return last.ok ? badge("ok", "ok", title) : badge("warning", "failing", title);
  }

  /** Asks once more: somebody's phone will ring. */
  #test(one, said) {
    const node = h("span", { class: "row" });
    const rest = (focus = false) => {
      const button = h("button", { class: "button", type: "button", data: { action: "test" }, text: t("receivers.test"), on: { click: ask } });
      fill(node, button);
      if (this.waits) this.draw();
      if (focus) this.#toolOf(one.name)?.focus();
    };
    const ask = () => {
      const by = actorName() ? null : h("input", { class: "input", maxlength: 80, autocomplete: "name", placeholder: t("receivers.by"), "aria-label": t("receivers.by") });
      const sure = h("button", { class: "button primary", type: "button", data: { action: "test-now" }, text: t("receivers.test.sure", { name: one.name }) });
      sure.addEventListener("click", async () => {
        const name = by ? by.value.trim() : actorName();
        if (!name) return by.focus();
        rememberName(name);
        setText(sure, t("receivers.testing"));
        sure.disabled = true;
        await this.#send(one, name, said);
        rest(true);
      });
      fill(node, by, sure, h("button", { class: "button quiet", type: "button", text: t("receivers.test.no"), on: { click: () => rest(true) } }));
      (by ?? sure).focus();
    };
    rest();
    return node;
  }

  #toolOf(name) {
    return [...this.node.children].find(({ dataset }) => dataset.name === name)?.querySelector("[data-action=test]");
  }

  async #send(one, by, said) {
    let answer;
    try {
      const { attempts: all } = await testReceiver(one.name, by);
      answer = () => (all.length ? attempts(all) : h("p", { class: "muted", text: t("receivers.test.none") }));
    } catch (error) {
      answer = () => h("p", { class: "problem", text: error.status === 404 ? t("receivers.test.missing") : error.detail || error.message });
    }
    this.answers.set(one.name, answer);
    fill(said, answer());
    this.onTested();
    this.lookUp();
  }
}
