// The list of calls, in the order in which they should be heard. Only the lines that are seen exist.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { Rows } from "../transfers/rows.js";
import { Filters, isFiltered, readFilter } from "./filters.js";
import { callItems, fits, idleItems, inOrderOf, isNeeded, NEW_AGENT, SHOWS, sorted } from "./model.js";
import { agentName, createRow, otherParty, tickRow, updateRow } from "./row.js";

const ROW_REM = 3.4;
const STEADY_MS = 3000; // while somebody moves in the list nothing changes places
const MOST_IDLE = 50; // agents without a call that a search offers

export class CallList {
  /** `deeds` as of a row; `look()` -> {user, sounding, onDeck}. */
  constructor(root, board, around, { deeds, look }) {
    Object.assign(this, { board, around, deeds, look, items: [], shown: [], cursor: "", movedAt: -Infinity });
    this.filters = new Filters(board);
    this.title = h("h2");
    this.steady = h("span", { class: "muted list-steady", hidden: true });
    this.none = h("div", { class: "empty", hidden: true }, h("p"), h("p", { class: "muted" }));
    this.scroller = h("div", { class: "rows-scroll", on: { keydown: (event) => this.#key(event) } });
    this.tools = h("span", { class: "listen-tools" });
    fill(root, h("div", { class: "panel-head listen-head" }, this.title, this.steady, this.filters.clear, this.tools, this.filters.search), this.filters.node, this.none, this.scroller);
    this.rows = new Rows(this.scroller, { rowRem: ROW_REM, create: () => this.#create(), update: (node, item) => this.#draw(node, item) });
    setAttr(this.rows.canvas, "role", "list");
    for (const event of ["pointermove", "keydown"]) this.scroller.addEventListener(event, () => (this.movedAt = performance.now()), { passive: true });
    this.scroller.addEventListener("pointerleave", () => (this.movedAt = -Infinity));
    this.filters.search.addEventListener("keydown", (event) => this.#leaveSearch(event));
    this.scroller.addEventListener("focusin", ({ target }) => target.classList.contains("call-row") && this.#moveTo(target.item.key, false));
  }

  #create() {
    return createRow(this.deeds);
  }

  #draw(node, item) {
    const { board, around } = this;
    updateRow(node, item, { board, follows: (key) => around.follows(key), ...this.look() });
    setAttr(node, "tabindex", item.key === this.cursor ? "0" : "-1");
    setData(node, "cursor", item.key === this.cursor ? "yes" : "");
  }

  update() {
    const { board, around } = this;
    const { user } = this.look();
    const told = {
      listensOf: (call, agent) => around.listensOf(call, agent),
      claimOf: (key) => around.claimOf(key),
      heardUntil: (key) => around.heardUntil(key),
      now: (site) => board.clocks.now(site),
    };
    this.byKey = callItems(board.store, told, this.byKey);
    this.items = [...this.byKey.values()];
    const filter = readFilter(board.site());
    const mine = (item) => item.claim?.user === user || item.listens.some((listen) => listen.user === user) || around.follows(item.agentKey) || isNeeded(item, user);
    const means = { mine, words: (item) => this.#words(item) };
    const here = this.items.filter((item) => fits(item, { ...filter, show: "all" }, means));
    this.filters.update(Object.fromEntries(SHOWS.map((show) => [show, here.filter((item) => fits(item, { ...filter, show }, means)).length])));
    const calls = sorted(here.filter((item) => fits(item, filter, means)));
    const idle = this.#idle(filter, means);
    const steady = performance.now() - this.movedAt < STEADY_MS;
    const before = this.shown.map(({ key }) => key);
    this.shown = [...(steady ? inOrderOf(calls, before) : calls), ...idle];
    const focused = this.scroller.contains(document.activeElement);
    const gone = !this.shown.some(({ key }) => key === this.cursor);
    if (gone) this.cursor = this.shown[Math.max(0, Math.min(before.indexOf(this.cursor), this.shown.length - 1))]?.key ?? "";
    this.#drawHead(steady, calls.length, filter);
    this.rows.setItems(this.shown);
    if (gone && focused) this.focus(); // the line that had it has gone: its neighbour has it now
  }

  /** Whom one may want to follow before the next call comes: new agents, those on one's own list, those searched for. */
  #idle(filter, means) {
    const { around } = this;
    const wanted = (key, agent) => {
      if (filter.show === "new") return agent.tags.includes(NEW_AGENT);
      if (filter.show === "mine") return around.follows(key);
      return filter.show === "all" && filter.q !== "";
    };
    if (!["new", "mine"].includes(filter.show) && !filter.q) return [];
    const found = idleItems(this.board.store, this.items, wanted);
    for (const item of found) item.listens = around.listensOf("", item.agentKey);
    return found.filter((item) => fits(item, { ...filter, show: "all", queue: "" }, means)).slice(0, MOST_IDLE);
  }

  #words(item) {
    const { board } = this;
    const { call, agent, site } = item;
    const names = [agentName(item), agent?.agent_id, agent?.team, board.siteLabel(site)];
    const more = call ? [call.call_id, board.queueLabel(site, call.queue), otherParty(call, agent, site, board), ...call.legs.map((leg) => board.agentName(site, leg.agent_id))] : [];
    return [...names, ...more].filter(Boolean).join(" ").toLowerCase();
  }

  #drawHead(steady, count, filter) {
    setText(this.title, t("listen.calls.count", { n: count }));
    setHidden(this.steady, !steady || count < 2);
    setText(this.steady, t("listen.steady"));
    const empty = this.shown.length === 0;
    setHidden(this.none, !empty);
    setHidden(this.scroller, empty);
    if (!empty) return;
    const which = isFiltered() ? (this.items.length ? `listen.none.${filter.show}` : "listen.none.all") : "listen.none";
    const [head, more] = this.none.children;
    setText(head, t(which));
    setText(more, t(isFiltered() && this.items.length ? "listen.none.filtered" : "listen.none.hint", { n: this.items.length }));
  }

  tick(local) {
    const look = { board: this.board };
    for (const node of this.rows.nodes.values()) tickRow(node, look, local);
  }

  // the keyboard

  /** From what is searched for to what was found. */
  #leaveSearch(event) {
    if (event.isComposing || !["Enter", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    this.focus();
  }

  #key(event) {
    const item = this.shown.find(({ key }) => key === this.cursor);
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key === "Enter" && event.target.closest("button"))) return;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      this.step(steps[event.key]);
    } else if (event.key === "Enter" && item) {
      event.preventDefault();
      this.deeds.hear(item, event.shiftKey || !item.call ? "agent" : "call");
    } else if (event.key.toLowerCase() === "c" && item?.call) {
      event.preventDefault();
      this.deeds.claim(item);
    } else if (event.key.toLowerCase() === "f" && item) {
      event.preventDefault();
      this.deeds.follow(item);
    }
  }

  /** Move the cursor by so many lines and bring it into view. */
  step(by) {
    if (!this.shown.length) return;
    const at = this.shown.findIndex(({ key }) => key === this.cursor);
    const next = Math.min(this.shown.length - 1, Math.max(0, (at < 0 ? 0 : at) + by));
    this.#moveTo(this.shown[next].key, true);
  }

  /** Give the list the focus. */
  focus() {
    if (this.cursor) this.#moveTo(this.cursor, true);
  }

  #moveTo(key, focus) {
    this.cursor = key;
    this.rows.reveal(key);
    for (const [one, node] of this.rows.nodes) {
      setAttr(node, "tabindex", one === key ? "0" : "-1");
      setData(node, "cursor", one === key ? "yes" : "");
    }
    if (focus) this.rows.nodes.get(key)?.focus({ preventScroll: true });
  }
}
