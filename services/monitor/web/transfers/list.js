// The desk's list: what runs, ticking, over the limit first; below it what has finished.

import { fill, h, keyed, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { clock } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { isRunning, SLOW_S } from "../transferfacts.js";
import { fromText, targetText } from "../transferwords.js";
import { createRow, tickRow, updateRow } from "./item.js";
import { fits, keyOf, merged, sorted, sortedRunning, verdictOf } from "./model.js";
import { isFiltered, rangeOf, readFilter, readSort } from "./query.js";
import { Rows } from "./rows.js";
import { createScale, drawScale } from "./scale.js";

const ROW_REM = 3.1;
const MOST = 5000; // lines on a page; who wants more narrows the filter

export class TransferList {
  /** `choose(key)`; `look()` -> {chosen, unsaved}. */
  constructor({ running, finished }, board, archive, { choose, look }) {
    Object.assign(this, { board, archive, look, choose, running: [], finished: [] });
    this.runningTitle = h("h2");
    this.runningNone = h("p", { class: "rail-nothing muted" });
    this.runningList = h("div", { class: "running-list", role: "listbox" });
    this.scales = [createScale(), createScale()];
    fill(running, h("div", { class: "panel-head" }, this.runningTitle), this.runningNone, this.scales[0], this.runningList);
    this.finishedTitle = h("h2");
    this.count = h("span", { class: "muted" });
    this.trouble = h("p", { class: "desk-trouble", role: "status", hidden: true });
    this.none = h("p", { class: "empty", hidden: true });
    this.scroller = h("div", { class: "rows-scroll", tabindex: "0" });
    fill(finished, h("div", { class: "panel-head" }, this.finishedTitle, this.count), this.trouble, this.none, this.scales[1], this.scroller);
    this.rows = new Rows(this.scroller, {
      rowRem: ROW_REM,
      create: () => createRow(choose),
      update: (node, item) => updateRow(node, item, this.#looks()),
      more: () => this.archive.rows.size < MOST && this.archive.more(),
    });
  }

  #looks() {
    return { board: this.board, ...this.look() };
  }

  /** The site's time and zone that "today" means: of the chosen site, else of the first. */
  day() {
    const site = this.board.site() || this.board.sites()[0]?.site;
    return { zone: this.board.zone(site), now: this.board.clocks.now(site) };
  }

  update() {
    const { board, archive } = this;
    const filter = readFilter(board.site());
    const { zone, now } = this.day();
    const range = rangeOf(filter, zone, now);
    const words = (transfer) => {
      const { from_agent, to_agent, to_queue, to_number, transfer_id, call_id, reason, case: kept } = transfer;
      const names = [fromText(transfer, board), targetText(transfer, board)];
      return [...names, from_agent, to_agent, to_queue, to_number, transfer_id, call_id, reason, kept?.note, kept?.follow_up];
    };
    const nowOf = (site) => board.clocks.now(site);
    const fit = (transfer) => fits(transfer, filter, { words, range, now: nowOf(transfer.site) });
    const all = [...board.store.transfers.values()];
    this.running = sortedRunning(all.filter((transfer) => isRunning(transfer) && fit(transfer)), nowOf);
    const fresh = filter.case === "open" || filter.case === "closed" ? [] : all.filter((transfer) => !isRunning(transfer) && fit(transfer));
    const found = merged(archive.rows, fresh).filter((transfer) => caseFits(transfer, filter.case) && !isRunningNow(board, transfer));
    this.finished = sorted(found, readSort());
    this.#draw(filter);
  }

  #draw(filter) {
    const { board, running, finished, archive } = this;
    const looks = this.#looks();
    const live = board.anyLive();
    this.#drawTitle();
    setHidden(this.runningNone, running.length > 0);
    setText(this.runningNone, t(live ? "desk.running.none" : board.store.loaded && !board.store.sites.size ? "desk.running.no_switch" : "desk.running.no_data"));
    setAttr(this.runningList, "aria-label", t("desk.running"));
    setHidden(this.runningList, running.length === 0);
    this.scales.forEach(drawScale);
    setHidden(this.scales[0], running.length === 0);
    setHidden(this.scales[1], finished.length === 0);
    this.nodes = keyed(this.runningList, running.map(item), ({ key }) => key, () => createRow(this.choose), (node, one) => updateRow(node, one, looks));
    setText(this.finishedTitle, t("desk.finished"));
    setAttr(this.rows.canvas, "aria-label", t("desk.finished"));
    setText(this.count, finished.length ? t(archive.rows.size >= MOST ? "desk.finished.most" : archive.next ? "desk.finished.more" : "desk.finished.count", { n: finished.length }) : "");
    const trouble = troubleText(archive, board);
    setHidden(this.trouble, !trouble);
    setText(this.trouble, trouble);
    const empty = finished.length === 0 && !(trouble && archive.state === "trouble");
    setHidden(this.none, !empty);
    setText(this.none, empty ? t(archive.state === "loading" ? "desk.finished.loading" : isFiltered(filter) ? "desk.finished.none_fit" : "desk.finished.none") : "");
    setHidden(this.scroller, finished.length === 0);
    if (finished.length === 0 && archive.rows.size < MOST) archive.more(); // nothing of this page fits; a later one may
    this.rows.setItems(finished.map(item));
  }

  tick(local) {
    const nowOf = (site) => this.board.clocks.now(site, local);
    const order = sortedRunning(this.running, nowOf);
    if (order.some((transfer, index) => transfer !== this.running[index])) this.update(); // a site's clock runs faster, say
    this.#drawTitle();
    for (const node of this.nodes?.values() ?? []) tickRow(node, this.board, local);
  }

  #drawTitle() {
    const { board, running } = this;
    const slow = running.filter((transfer) => verdictOf(transfer, board.clocks.now(transfer.site)) === "yes").length;
    const limit = t("unit.seconds", { n: SLOW_S });
    setText(this.runningTitle, running.length ? t("desk.running.count", { n: running.length, slow, limit }) : t("desk.running"));
  }

  /** All keys in the order shown. */
  keys() {
    return [...this.running, ...this.finished].map(keyOf);
  }

  reveal(key) {
    this.nodes?.get(key)?.scrollIntoView({ block: "nearest" });
    this.rows.reveal(key);
  }
}

const item = (transfer) => ({ key: keyOf(transfer), transfer });

/** A transfer that runs again, say the server rebuilt its state, is not told as finished besides. */
const isRunningNow = (board, transfer) => isRunning(board.store.transfers.get(keyOf(transfer)) ?? {});

function caseFits(transfer, wanted) {
  if (wanted === "none") return !transfer.case;
  return !["open", "closed"].includes(wanted) || transfer.case?.status === wanted;
}

function troubleText({ trouble, answeredAt }, board) {
  if (!trouble) return "";
  if (trouble.status === 503) return answeredAt ? t("desk.away.since", { time: clock(answeredAt, board.zone(board.sites()[0]?.site)) }) : t("desk.away");
  if (trouble.status === 404) return t("desk.none_kept");
  if (trouble.status === 403) return t("desk.not_allowed");
  return t("desk.unreachable", { why: trouble.status ? trouble.detail || trouble.title : trouble.title });
}
