// New agents must not call alone: how many of their calls nobody hears, the longest first, and an alarm when it lasts too long.

import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { prefs } from "/static/shared/prefs.js";
import { alarmChoice } from "/static/shared/alarms/choice.js";
import { playAlarm } from "/static/shared/alarms/sound.js";
import { NEW_AGENT } from "./model.js";
import { agentName } from "./row.js";

const CHOICE = "listen.alone";
const USUAL = { after_s: 30, sound: false };
const SHOWN = 3;
const REPEATED_MS = 20_000;
const [LEAST_S, MOST_S] = [5, 600];

/** {after_s, sound}: when this reader wants to be told of a call that nobody hears, and whether by sound. */
export const aloneChoice = () => ({ ...USUAL, ...prefs.get(CHOICE, {}) });

export class Uncovered {
  /** `deeds`: {hear(item, follow), claim(item), coverage()}; `say(text)` reads something out. */
  constructor(root, board, { deeds, user, say }) {
    Object.assign(this, { root, board, deeds, user, say, items: [], any: false, told: new Set(), soundedAt: -Infinity });
    this.shape = icon("ok");
    this.count = h("strong", { class: "uncovered-count" });
    this.words = h("span", { class: "uncovered-words" });
    this.list = h("ul", { class: "uncovered-list" });
    this.more = h("span", { class: "muted nowrap" });
    this.after = h("input", { class: "input uncovered-after", type: "number", min: LEAST_S, max: MOST_S, step: 5 });
    this.after.addEventListener("change", () => this.#choose({ after_s: Math.min(MOST_S, Math.max(LEAST_S, Number(this.after.value) || USUAL.after_s)) }));
    this.sound = h("input", { type: "checkbox" });
    this.sound.addEventListener("change", () => this.#choose({ sound: this.sound.checked }));
    this.afterWords = h("span");
    this.afterUnit = h("span");
    this.soundWords = h("span");
    this.coverage = h("button", { class: "button", type: "button", on: { click: () => deeds.coverage() } });
    const choice = h("div", { class: "uncovered-choice" }, h("label", {}, this.afterWords, this.after, this.afterUnit), h("label", {}, this.sound, this.soundWords));
    fill(root, h("div", { class: "uncovered-head" }, this.shape, this.count, this.words), this.list, this.more, choice, this.coverage);
  }

  #choose(values) {
    prefs.set(CHOICE, { ...aloneChoice(), ...values });
  }

  /** `items`: all calls of the page; new agents of the sites that are shown count, whatever the list is narrowed to. */
  update(items) {
    const { board } = this;
    const site = board.site();
    const here = (one) => !site || one.site === site;
    this.items = items.filter((item) => item.alone && here(item)).sort((a, b) => this.#rank(a) - this.#rank(b) || Date.parse(a.aloneSince) - Date.parse(b.aloneSince));
    const any = this.items.length > 0 || [...board.store.agents.values()].some((agent) => here(agent) && agent.tags.includes(NEW_AGENT));
    this.any = any; // new agents at all
    setHidden(this.root, !any);
    if (!any) return;
    const n = this.items.length;
    setText(this.count, n ? String(n) : "");
    this.live = board.anyLive();
    setText(this.words, n ? t("listen.uncovered.count", { n }) : t(this.live ? "listen.uncovered.none" : "listen.uncovered.unknown"));
    const { after_s: after, sound } = aloneChoice();
    if (document.activeElement !== this.after) this.after.value = after;
    this.sound.checked = sound;
    setText(this.afterWords, t("listen.uncovered.after"));
    setText(this.afterUnit, t("listen.uncovered.seconds"));
    setText(this.soundWords, t("listen.uncovered.sound"));
    setText(this.coverage, t("listen.coverage"));
    setHidden(this.more, n <= SHOWN);
    setText(this.more, t("listen.uncovered.more", { n: n - SHOWN }));
    this.nodes = keyed(this.list, this.items.slice(0, SHOWN), ({ key }) => key, () => this.#create(), (node, item) => this.#draw(node, item));
    this.tick();
  }

  /** What nobody took comes before what somebody is about to hear. */
  #rank({ claim }) {
    return claim && claim.user !== this.user() ? 1 : 0;
  }

  #create() {
    const node = h("li", { class: "uncovered-call" }, h("span", { class: "uncovered-who truncate" }), h("span", { class: "num uncovered-time" }), h("span", { class: "muted truncate uncovered-taken" }));
    node.claim = h("button", { class: "button", type: "button", on: { click: () => this.deeds.claim(node.item) } });
    node.hear = h("button", { class: "button", type: "button", on: { click: () => this.deeds.hear(node.item, "call") } }, icon("listened"), h("span"));
    node.append(node.claim, node.hear);
    return node;
  }

  #draw(node, item) {
    node.item = item;
    const { claim } = item;
    const name = agentName(item);
    const mine = claim?.user === this.user();
    setText(node.children[0], name);
    setText(node.children[2], claim ? t("listen.claimed", { name: mine ? t("listen.you") : claim.user_name || claim.user }) : "");
    setText(node.claim, t(mine ? "listen.release" : "listen.claim"));
    setHidden(node.claim, Boolean(claim) && !mine);
    setAttr(node.claim, "aria-label", `${t(mine ? "listen.release" : "listen.claim")}: ${name}`);
    setText(node.hear.lastChild, t("listen.hear"));
    setAttr(node.hear, "aria-label", `${t("listen.hear")}: ${name}`);
  }

  tick(local = performance.now()) {
    if (this.root.hidden) return;
    const { after_s: after, sound } = aloneChoice();
    const late = this.items.filter((item) => this.#aloneS(item, local) >= after);
    for (const node of this.nodes?.values() ?? []) {
      const alone = this.#aloneS(node.item, local);
      setText(node.children[1], duration(alone));
      setData(node, "late", alone >= after ? "yes" : "");
    }
    const tone = late.length ? "critical" : this.items.length || !this.live ? "warning" : "ok";
    setData(this.root, "tone", tone);
    setIcon(this.shape, tone);
    this.#call(late, sound, local);
  }

  #aloneS(item, local) {
    return this.board.clocks.since(item.site, item.aloneSince, local) ?? 0;
  }

  /** Each call is told of once; the sound comes again while one that nobody took stays alone. */
  #call(late, sound, local) {
    const fresh = late.filter(({ key }) => !this.told.has(key));
    this.told = new Set(late.map(({ key }) => key));
    if (fresh.length) this.say(t("listen.uncovered.alarm", { names: fresh.map(agentName).join(", ") }));
    const open = late.some(({ claim }) => !claim);
    if (!sound || !open || (!fresh.length && local - this.soundedAt < REPEATED_MS)) return;
    this.soundedAt = local;
    playAlarm(alarmChoice().volume);
  }
}
