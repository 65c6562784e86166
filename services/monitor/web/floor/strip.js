// What the rail says, in one line above the agents: while a drawer takes the rail's place on a laptop, a flag that is raised is
// still seen. One button goes to the flag, the other brings the rail back beside the agents.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { recall, remember } from "/static/shared/storage.js";
import { SEVERITIES } from "../agentlist.js";
import { keyOf } from "../store.js";
import { point } from "./agents.js";
import { summary } from "./card.js";

/** The newest of the worst: the worst of all may be what the drawer is open for, and then nothing would move. */
function worstOf(flags) {
  const rank = ({ severity }) => SEVERITIES[severity] ?? 0;
  const newer = (a, b) => rank(b) - rank(a) || (a.raised > b.raised ? -1 : 1);
  return [...flags].sort(newer)[0] ?? null;
}

export class RailStrip {
  /** `actions` is the panel of next actions; those still `open` are counted. */
  constructor(root, board, actions) {
    Object.assign(this, { root, board, actions, flag: null, counts: {} });
    this.shape = icon("ok");
    this.severity = h("span", { class: "visually-hidden" });
    this.text = h("span", { class: "strip-text truncate" });
    this.where = h("span", { class: "strip-where muted truncate" });
    this.age = h("span", { class: "strip-age nowrap" });
    this.worst = h("button", { class: "strip-flag", type: "button" }, this.shape, this.severity, this.text, this.where, this.age);
    this.worst.addEventListener("click", () => this.flag && board.focusFlag(this.flag));
    this.worst.addEventListener("animationend", () => this.worst.classList.remove("pointed")); // or it would point again once shown again
    this.none = h("p", { class: "strip-none muted" });
    this.words = h("span");
    this.toggle = h("button", { class: "button quiet strip-toggle", type: "button", "aria-controls": "rail" }, this.words, icon("down"));
    this.toggle.addEventListener("click", () => this.#open(document.body.dataset.rail !== "open"));
    root.append(this.worst, this.none, this.toggle);
    this.seen = false; // told by the browser when it changes: to ask for it would lay out the page with each flag
    new IntersectionObserver(([entry]) => (this.seen = entry.isIntersecting)).observe(root);
    this.#open(recall("rail") === "open");
  }

  /** Whether the rail stands beside the agents although a drawer is open. Remembered, as whoever wants it once wants it again. */
  #open(open) {
    setData(document.body, "rail", open ? "open" : "");
    setAttr(this.toggle, "aria-expanded", String(open));
    remember("rail", open ? "open" : null);
  }

  /** Draw after flags or transfers changed. */
  update() {
    const { board } = this;
    const site = board.site();
    const here = (one) => !site || one.site === site;
    const flags = [...board.store.flags.values()].filter(here);
    const running = [...board.store.runningTransfers.values()].filter(here);
    this.counts = { flags: flags.length, transfers: running.length };
    this.#drawFlag(worstOf(flags));
    this.tick();
  }

  #drawFlag(flag) {
    const { board } = this;
    const another = flag && (!this.flag || keyOf("flag", flag) !== keyOf("flag", this.flag));
    this.flag = flag;
    setHidden(this.worst, !flag);
    setHidden(this.none, Boolean(flag));
    setText(this.none, t(board.anyLive() ? "flags.none" : "flags.no_data"));
    setData(this.root, "tone", flag?.severity);
    if (!flag) return;
    setData(this.worst, "stale", board.isStale(flag.site) ? "yes" : "");
    setIcon(this.shape, flag.severity);
    setText(this.severity, t(`severity.${flag.severity}`));
    setText(this.text, summary(flag));
    setAttr(this.text, "title", summary(flag));
    setText(this.where, board.whereOf(flag));
    if (another && this.seen && flag.severity === "critical") point(this.worst);
  }

  tick(local) {
    const { board, flag, counts } = this;
    if (flag) setText(this.age, duration(board.clocks.since(flag.site, flag.started, local)));
    setText(this.words, t("strip.counts", { ...counts, actions: this.actions.open }));
    setAttr(this.toggle, "title", t("strip.open"));
  }
}
