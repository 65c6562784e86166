// The agents' panel: the tools above and the list itself, cards or rows.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { arrange, countStates, fits, sortedByName } from "./agentlist.js";
import { AgentTools } from "./agenttools.js";
import { createCard, createHead, tickCard, updateCard, updateHead } from "./card.js";
import { VirtualList } from "./virtuallist.js";

// In rem: what a card needs to show its last line without cutting it on most floors.
const GEOMETRY = {
  cards: { minWidth: 12.5, height: 4.375, gap: 0.375 },
  rows: { minWidth: 34, height: 2, gap: 0.25 },
};
const HEAD_REM = 2;

const SMALL = 500; // up to here everything is arranged anew with every change; that takes under a millisecond
const LATE_MS = 250; // on larger floors counts and order follow this much later

export class AgentsPanel {
  constructor(root, board) {
    this.board = board;
    this.items = new Map(); // key -> {key, agent}
    this.byName = [];
    this.late = null;
    this.tools = new AgentTools(root, () => {
      board.chosen();
      this.arrange();
    });
    this.scroller = h("div", { class: "agents-scroll" });
    this.#buildNobody();
    root.append(this.nobody, this.scroller);
    this.list = new VirtualList(this.scroller, {
      geometry: () => this.#geometry(),
      create: (item) => (item.head ? createHead() : createCard((key) => board.openAgent(key))),
      update: (node, item) => (item.head ? updateHead(node, item) : updateCard(node, item, board)),
    });
    this.scroller.addEventListener("keydown", (event) => this.#move(event));
    this.scroller.addEventListener("focusin", ({ target }) => this.#rove(target));
  }

  #buildNobody() {
    this.nobodyText = h("p");
    this.showAll = h("button", { class: "button", type: "button", on: { click: () => this.tools.clear() } });
    this.nobody = h("div", { class: "empty nobody", hidden: true }, this.nobodyText, this.showAll);
  }

  #geometry() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const { minWidth, height, gap } = GEOMETRY[this.tools.view];
    return { minWidth: minWidth * rem, height: height * rem, gap: gap * rem, headHeight: HEAD_REM * rem };
  }

  /** Draw after changes. `keys` are the agents that changed; `all` when anything else did that cards show. */
  update(keys, all) {
    const members = this.#takeItems(keys);
    if (members) this.byName = sortedByName(this.items.values());
    else if (keys.size) this.byName = this.byName.map((item) => this.items.get(item.key));
    if (members || all || this.items.size <= SMALL) {
      this.arrange();
    } else if (keys.size) {
      this.list.replace([...keys].map((key) => this.items.get(key))); // what is seen at once, order and counts soon
      this.late ??= setTimeout(() => this.arrange(), LATE_MS);
    }
  }

  /** Bring `items` in step with the store; true when the order by name may be another. */
  #takeItems(keys) {
    const { agents } = this.board.store;
    let members = false;
    for (const key of keys) {
      const [agent, before] = [agents.get(key), this.items.get(key)?.agent];
      if (agent) this.items.set(key, { key, agent });
      else this.items.delete(key);
      members ||= !agent || !before || agent.name !== before.name || agent.team !== before.team;
    }
    return members;
  }

  /** Filter, sort and lay out anew. */
  arrange() {
    clearTimeout(this.late);
    this.late = null;
    const { board, tools } = this;
    tools.filter.site = board.site();
    const shown = this.byName.filter((item) => fits(item.agent, tools.filter));
    const groups = arrange(shown, tools.sort, {
      flagOf: (key) => board.flagOf(key),
      titleOf: (site, team) => this.#groupTitle(site, team),
    });
    this.#drawTools(shown.length); // first: a list that is hidden has no width to lay out in
    this.list.setItems(groups.flatMap((group) => this.#withHead(group)));
  }

  #groupTitle(site, team) {
    const name = team || t("agents.no_team");
    return this.board.manySites() ? `${this.board.siteLabel(site)} · ${name}` : name;
  }

  #withHead({ key, title, items }) {
    if (!title) return items;
    return [{ key: `head:${key}`, head: true, title, mark: this.board.markOf(items[0].agent.site), total: items.length, counts: countStates(items) }, ...items];
  }

  #drawTools(shown) {
    const { filter } = this.tools;
    const all = { ...filter, text: "", states: new Set() };
    const possible = this.byName.filter((item) => fits(item.agent, all));
    const queue = this.board.store.queues.get(filter.queue);
    this.tools.draw({ counts: countStates(possible), all: possible.length, shown, queueLabel: queue?.label || queue?.queue });
    setData(this.scroller, "view", this.tools.view);
    setAttr(this.list.canvas, "aria-label", t("agents.title"));
    setHidden(this.nobody, shown > 0);
    setHidden(this.scroller, shown === 0);
    setText(this.nobodyText, t(possible.length ? "agents.none_fit" : "agents.none"));
    setHidden(this.showAll, this.byName.length === 0);
    setText(this.showAll, t("agents.clear"));
  }

  /** Bring an agent into view, undoing filters that hide it, and give it the focus. False for an unknown one. */
  focus(key) {
    if (!this.list.has(key)) this.tools.clear();
    const node = this.list.reveal(key);
    if (!node) return false;
    node.focus({ preventScroll: true });
    point(node);
    return true;
  }

  #move(event) {
    const card = event.target.closest(".card");
    if (!card) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.list.columns, ArrowUp: -this.list.columns }[event.key];
    if (steps) {
      event.preventDefault();
      this.list.reveal(this.list.neighbour(card.item.key, steps))?.focus({ preventScroll: true });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.board.openAgent(card.item.key);
    }
  }

  /** One card is the list's tab stop: the one that last had the focus. */
  #rove(target) {
    const card = target.closest?.(".card");
    if (!card) return;
    this.tabStop?.setAttribute("tabindex", "-1");
    this.tabStop = card;
    card.setAttribute("tabindex", "0");
  }

  tick(local) {
    for (const node of this.list.nodes.values()) if (node.item) tickCard(node, this.board.clocks, local);
    if (this.tabStop?.isConnected) return;
    this.tabStop = this.list.canvas.querySelector(".card");
    this.tabStop?.setAttribute("tabindex", "0");
  }
}

/** Show where the eye should go. */
export function point(node) {
  node.classList.remove("pointed");
  void node.offsetWidth; // starts the animation anew
  node.classList.add("pointed");
}
