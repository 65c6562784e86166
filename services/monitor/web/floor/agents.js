// The agents' panel: the tools above and the list itself, cards or a grid.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { countStates, fits, sortedByName } from "../agentlist.js";
import { thresholds } from "../thresholds.js";
import { AgentTools } from "./agenttools.js";
import { arrange } from "./arrange.js";
import { createCard, createHead, tickAgent, updateAgent, updateHead } from "./card.js";
import { createRow, GridHead, gridShape } from "./grid.js";
import { needOf } from "./need.js";
import { ViewState } from "./viewstate.js";
import { VirtualList } from "/static/shared/virtuallist.js";

// In rem: what a card needs to show its last line without cutting it on most floors.
const GEOMETRY = {
  cards: { minWidth: 13, height: 4.375, gap: 0.375 },
  rows: { minWidth: Infinity, height: 1.875, gap: 0 },
};
const HEAD_REM = 2;

const SMALL = 500; // up to here everything is arranged anew with every change; that takes under a millisecond
const LATE_MS = 400; // on larger floors counts and order follow this much later
const SCROLLING_MS = 200; // and not while somebody scrolls
const PATIENCE_MS = 5000; // of what waits for scrolling to end
const CALM_MS = 2000; // who needs attention is not decided anew more often, except when a flag is raised or cleared

export class AgentsPanel {
  constructor(root, board) {
    this.board = board;
    this.items = new Map(); // key -> {key, agent, words}
    this.byName = [];
    this.late = null;
    this.scrolled = 0;
    this.still = 0; // when nobody scrolled last
    this.arranged = 0;
    this.view = new ViewState(() => {
      board.chosen();
      this.arrange();
    });
    this.tools = new AgentTools(root, this.view, board);
    this.scroller = h("div", { class: "agents-scroll" });
    this.head = new GridHead({
      onSort: (id) => this.view.sortBy(id),
      onMove: (id, before) => this.#moveColumn(id, before),
    });
    this.scroller.append(this.head.node);
    this.#buildNobody();
    root.append(this.nobody, this.scroller);
    this.list = new VirtualList(this.scroller, {
      geometry: () => this.#geometry(),
      create: (item) => this.#create(item),
      update: (node, item, index) => (item.head ? updateHead(node, item) : this.#update(node, item, index)),
    });
    this.scroller.addEventListener("scroll", () => (this.scrolled = performance.now()), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.#move(event));
    this.scroller.addEventListener("focusin", ({ target }) => this.#rove(target));
    thresholds.on(() => this.arrange());
  }

  #buildNobody() {
    this.nobodyText = h("p");
    this.showAll = h("button", { class: "button", type: "button", on: { click: () => this.view.clear() } });
    this.nobody = h("div", { class: "empty nobody", hidden: true }, this.nobodyText, this.showAll);
  }

  #geometry() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const { minWidth, height, gap } = GEOMETRY[this.view.view];
    setData(this.scroller, "wide", this.view.view === "rows" && gridShape(this.view.columns).rem * rem > this.scroller.clientWidth ? "yes" : "");
    return { minWidth: minWidth * rem, height: height * rem, gap: gap * rem, headHeight: HEAD_REM * rem };
  }

  #create(item) {
    const grid = this.view.view === "rows";
    if (item.head) return createHead(grid);
    const open = (key) => this.board.openAgent(key);
    return grid ? createRow(this.view.columns, open) : createCard(open);
  }

  #update(node, item, index) {
    updateAgent(node, item, this.board, index);
    if (node !== this.tabStop) setAttr(node, "tabindex", "-1");
  }

  /** Draw after changes. `keys` are the agents of which something changed; `all`: names of queues or sites, or the language. */
  update(keys, { all = false, flags = false } = {}) {
    const members = this.#takeItems(keys);
    if (all) for (const item of this.items.values()) item.words = null;
    if (members) this.byName = sortedByName(this.items.values());
    const calm = this.view.sort === "attention" && !flags && performance.now() - this.arranged < CALM_MS;
    if (all || members || (this.items.size <= SMALL && !calm)) {
      this.arrange();
    } else if (keys.size) {
      this.list.replace([...keys].map((key) => this.items.get(key)).filter(Boolean)); // what is seen at once, order and counts soon
      this.#arrangeSoon(calm ? CALM_MS : LATE_MS);
    }
  }

  /** Bring `items` in step with the store; true when the order by name may be another. */
  #takeItems(keys) {
    const { agents } = this.board.store;
    let members = false;
    for (const key of keys) {
      const [agent, item] = [agents.get(key), this.items.get(key)];
      if (!agent) {
        members = this.items.delete(key) || members;
      } else if (!item) {
        this.items.set(key, { key, agent, words: null });
        members = true;
      } else if (item.agent !== agent) {
        members ||= agent.name !== item.agent.name || agent.team !== item.agent.team;
        Object.assign(item, { agent, words: null });
      }
    }
    return members;
  }

  #arrangeSoon(after) {
    this.late ??= setTimeout(() => {
      this.late = null;
      if (this.scrolling()) this.#arrangeSoon(SCROLLING_MS);
      else this.arrange();
    }, after);
  }

  /** Whether somebody scrolls a large floor; what takes longer than a frame waits until they are done, but not for ever. */
  scrolling(now = performance.now()) {
    const scrolls = this.items.size > SMALL && now - this.scrolled < SCROLLING_MS;
    if (!scrolls) this.still = now;
    return scrolls && now - this.still < PATIENCE_MS;
  }

  /** Filter, sort and lay out anew. */
  arrange() {
    clearTimeout(this.late);
    this.late = null;
    this.arranged = performance.now();
    const { board, view } = this;
    view.filter.site = board.site();
    const asked = { flagOf: (key) => board.flagOf(key), words: (item) => this.#wordsOf(item) };
    const shown = this.byName.filter((item) => fits(item, view.filter, asked));
    const groups = arrange(shown, view.sort, {
      board,
      needOf: (item) => this.#needOf(item),
      titleOf: (site, team) => this.#groupTitle(site, team),
    }).map((group) => ({ head: this.#headOf(group), items: group.items }));
    this.#drawTools(shown, asked);
    this.#shape(groups); // first: a list that is hidden has no width to lay out in
    this.list.setGroups(groups);
  }

  #wordsOf(item) {
    item.words ??= this.#words(item.agent);
    return item.words;
  }

  #words(agent) {
    const { board } = this;
    const labels = agent.queues.map((queue) => board.queueLabel(agent.site, queue));
    const state = t(`state.${agent.state}`);
    const all = [agent.name, agent.agent_id, agent.team, agent.reason, state, agent.call?.peer, ...agent.queues, ...labels, ...agent.tags];
    return all.filter(Boolean).join(" ").toLowerCase();
  }

  #needOf({ key, agent }) {
    const { board } = this;
    const stale = board.isStale(agent.site);
    const inState = stale ? null : board.clocks.since(agent.site, agent.since);
    return needOf(agent, board.flagOf(key)?.severity, inState, thresholds.agent(agent.state));
  }

  #groupTitle(site, team) {
    const name = team || t("agents.no_team");
    return this.board.saysSite(site) ? `${this.board.siteLabel(site)} · ${name}` : name;
  }

  #headOf({ key, title, items }) {
    if (!title) return null;
    const mark = this.board.markOf(items[0].agent.site);
    return { key: `head:${key}`, head: true, title, mark, total: items.length, counts: countStates(items) };
  }

  #drawTools(shown, asked) {
    const { filter } = this.view;
    const all = { text: "", states: new Set(), queue: filter.queue, team: filter.team, tag: filter.tag, site: filter.site };
    const possible = this.byName.filter((item) => fits(item, all, asked));
    const flagged = possible.reduce((n, item) => n + (this.board.flagOf(item.key) ? 1 : 0), 0);
    this.tools.draw({ counts: countStates(possible), all: possible.length, shown: shown.length, flagged });
    setHidden(this.nobody, shown.length > 0);
    setHidden(this.scroller, shown.length === 0);
    setText(this.nobodyText, t(this.byName.length ? "agents.none_fit" : "agents.none"));
    setHidden(this.showAll, this.byName.length === 0 || !this.view.narrowed);
    setText(this.showAll, t("agents.clear"));
  }

  /** Cards or grid, and of the grid how wide: what a list of the other kind drew is thrown away. */
  #shape(groups) {
    const { view, columns } = this.view;
    const rows = 1 + groups.reduce((sum, { head, items }) => sum + (head ? 1 : 0) + items.length, 0); // the titles are one, too
    const grid = view === "rows";
    const look = grid ? `rows|${columns.map(({ id }) => id)}` : view;
    const { list, scroller } = this;
    setAttr(scroller, "role", grid ? "grid" : null);
    setAttr(scroller, "aria-label", grid ? t("agents.title") : null);
    setAttr(scroller, "aria-rowcount", grid ? rows : null);
    setAttr(list.canvas, "role", grid ? "rowgroup" : "list");
    setAttr(list.canvas, "aria-label", grid ? null : t("agents.title"));
    setHidden(this.head.node, !grid);
    if (grid) this.head.draw(columns, this.view.sort);
    if (look === this.look) return;
    this.look = look;
    setData(scroller, "view", view);
    const { rem, template } = gridShape(columns);
    scroller.style.setProperty("--grid", template);
    scroller.style.setProperty("--grid-width", grid ? `${rem}rem` : "0");
    list.reset();
  }

  #moveColumn(id, before) {
    const ids = this.view.columns.map((column) => column.id).filter((one) => one !== id);
    ids.splice(before ? ids.indexOf(before) : ids.length, 0, id);
    this.view.like({ columns: ids });
  }

  /** Bring an agent into view, undoing filters that hide it, and give it the focus. False for an unknown one. */
  focus(key) {
    if (!this.items.has(key)) return false;
    if (!this.list.has(key)) this.view.clear();
    const node = this.list.reveal(key);
    if (!node) return false;
    node.focus({ preventScroll: true });
    point(node);
    return true;
  }

  /** Give the focus to the agent that had it last, or to the first. */
  enter() {
    (this.tabStop?.isConnected ? this.tabStop : this.list.canvas.querySelector(".agent"))?.focus();
  }

  #move(event) {
    const node = event.target.closest(".agent");
    if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
    const { columns, page, lines } = this.list;
    const steps = {
      ArrowRight: columns > 1 ? 1 : 0,
      ArrowLeft: columns > 1 ? -1 : 0,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: page * columns,
      PageUp: -page * columns,
      Home: -lines * columns,
      End: lines * columns,
    }[event.key];
    if (steps) {
      event.preventDefault();
      this.list.reveal(this.list.neighbour(node.item.key, steps))?.focus({ preventScroll: true });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.board.openAgent(node.item.key);
    }
  }

  /** One card is the list's tab stop: the one that last had the focus. */
  #rove(target) {
    const node = target.closest?.(".agent");
    if (!node) return;
    this.tabStop?.setAttribute("tabindex", "-1");
    this.tabStop = node;
    node.setAttribute("tabindex", "0");
  }

  tick(local) {
    for (const node of this.list.nodes.values()) if (node.around) tickAgent(node, this.board, local);
    if (this.view.sort === "attention" && local - this.arranged > CALM_MS) this.#arrangeSoon(0); // limits are passed by time too
    if (this.tabStop?.isConnected) return;
    this.tabStop = this.list.canvas.querySelector(".agent");
    this.tabStop?.setAttribute("tabindex", "0");
  }

  /** Only what is timed in tenths: running transfers. */
  tickTransfers(local) {
    for (const node of this.list.nodes.values()) if (node.around?.transfer) tickAgent(node, this.board, local);
  }
}

/** Show where the eye should go. */
export function point(node) {
  node.classList.remove("pointed");
  void node.offsetWidth; // starts the animation anew
  node.classList.add("pointed");
}
