// The chosen transfer: its legs and stamps, how we know, and its case.

import { api } from "/static/shared/api.js";
import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { dayShort } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { reasonText } from "/static/shared/reasons.js";
import { drawEvidence, evidenceMark, tellEvidence } from "../evidence.js";
import { isRunning, offBy } from "../transferfacts.js";
import { fromText, kindText, phaseText, routeText, targetText } from "../transferwords.js";
import { CaseForm } from "./caseform.js";
import { markOf } from "./item.js";
import { keyOf } from "./model.js";
import { pathOf } from "./paths.js";
import { createFigures, createTimeline, drawFigures, drawTimeline } from "./timeline.js";

const RETRY_MS = 5000;

export class Detail {
  /** `found(key)`: the transfer as the list or the feed has it, or null; `saved`, `touched` as of CaseForm. */
  constructor(root, board, { found, saved, touched }) {
    Object.assign(this, { root, board, found, key: "", own: null, state: "" });
    this.form = new CaseForm({ saved, touched });
    this.nothing = h("p");
    this.keys = h("p", { class: "muted" });
    this.empty = h("div", { class: "empty desk-choose" }, this.nothing, this.keys);
    this.route = h("h2", { class: "detail-route", tabindex: "-1" });
    this.how = h("p", { class: "muted" });
    this.shape = icon("ok");
    this.verdict = h("span");
    this.verdictLine = h("p", { class: "detail-verdict" }, this.shape, this.verdict);
    this.timeline = createTimeline();
    this.figures = createFigures();
    this.facts = h("dl", { class: "facts detail-facts" });
    this.mark = evidenceMark("detail-evidence");
    this.body = h(
      "div",
      { class: "detail-body", hidden: true },
      h("header", { class: "detail-head" }, h("div", {}, this.route, this.how), this.verdictLine),
      this.timeline,
      this.figures.node,
      this.facts,
      this.form.node,
    );
    fill(root, this.empty, this.body);
  }

  /** Show transfer `key`; "" for none. */
  choose(key) {
    if (key === this.key) return;
    Object.assign(this, { key, own: null, state: key ? "loading" : "" });
    this.root.scrollTop = 0;
    this.update();
    this.load();
  }

  /** Ask for the transfer and its case with the history. */
  async load() {
    const { key } = this;
    clearTimeout(this.timer);
    if (!key) return;
    try {
      const own = await api.get(pathOf(key));
      if (key !== this.key) return;
      Object.assign(this, { own, state: "ready" });
      this.form.show(key, own.case);
    } catch (error) {
      if (key !== this.key) return;
      this.state = error.status === 404 ? "gone" : "away";
      if (error.status !== 403) this.timer = setTimeout(() => this.load(), RETRY_MS);
    }
    this.update();
  }

  transfer() {
    const known = this.key ? this.found(this.key) : null;
    return known ?? this.own;
  }

  update() {
    const transfer = this.transfer();
    setHidden(this.empty, Boolean(transfer));
    setText(this.keys, t("desk.keys"));
    setHidden(this.body, !transfer);
    setText(this.nothing, t({ gone: "desk.gone", loading: "desk.finished.loading", away: "desk.away" }[this.key && this.state] ?? "desk.choose"));
    if (!transfer) return;
    const { board } = this;
    setText(this.route, routeText(transfer, board));
    setText(this.how, [kindText(transfer, board), phaseText(transfer)].join(" · "));
    setData(this.body, "stale", isRunning(transfer) && board.isStale(transfer.site) ? "yes" : "");
    drawEvidence(this.mark, transfer, board);
    this.#drawFacts(transfer);
    // a case that could not be read may exist: nobody writes over what they have not seen
    setHidden(this.form.node, this.state !== "ready" || keyOf(transfer) !== this.key);
    if (this.state === "ready") this.form.draw();
    this.tick();
  }

  #drawFacts(transfer) {
    const { board } = this;
    const agent = (name, id) => (id && name !== id ? `${name} (${id})` : name);
    const rows = [
      ["desk.fact.who", agent(fromText(transfer, board), transfer.from_agent)],
      ["desk.fact.to", agent(targetText(transfer, board), transfer.to_agent)],
      transfer.reason && ["desk.fact.reason", reasonText(transfer.reason)],
      ["desk.fact.day", dayShort(transfer.requested, board.zone(transfer.site))],
      board.manySites() && ["desk.fact.site", board.siteLabel(transfer.site)],
      ["desk.fact.call", transfer.call_id],
      ["desk.fact.id", transfer.transfer_id],
    ].filter(Boolean);
    fill(
      this.facts,
      rows.map(([name, value]) => [h("dt", { text: t(name) }), h("dd", { text: value })]),
      h("dt", { class: "fact-known", text: t("desk.fact.known") }),
      h("dd", {}, this.mark, " ", tellEvidence(transfer, board)),
    );
  }

  tick(local = performance.now()) {
    const transfer = this.transfer();
    if (!transfer) return;
    const zone = this.board.zone(transfer.site);
    const looks = `${document.documentElement.lang}|${zone}`;
    if (this.drawn === transfer && this.looks === looks && !isRunning(transfer)) return;
    Object.assign(this, { drawn: transfer, looks });
    const now = this.board.clocks.now(transfer.site, local);
    const { verdict, shape, tone, text } = markOf(transfer, now);
    setIcon(this.shape, shape);
    setData(this.verdictLine, "tone", tone);
    setText(this.verdict, text);
    setAttr(this.verdictLine, "title", verdict === "cannot_tell" ? t("desk.verdict.cannot_tell.hint", { off: offBy(transfer) }) : null);
    drawTimeline(this.timeline, transfer, now);
    drawFigures(this.figures, transfer, zone, now);
  }
}
