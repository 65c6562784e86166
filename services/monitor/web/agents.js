// The agents' panel: find, filter, sort, cards or rows, and the list itself.

import { h, fill, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { language, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { recall, remember } from "/static/shared/storage.js";
import { SORTS, STATES, arrange, countStates, fits, sortedByName } from "./agentlist.js";
import { createCard, createHead, tickCard, updateCard, updateHead } from "./card.js";
import { legend } from "./legend.js";
import { keyOf } from "./store.js";
import { VirtualList } from "./virtuallist.js";

// In rem: what a card needs to show its second line without cutting it on most floors.
const GEOMETRY = {
  cards: { minWidth: 12.5, height: 4.375, gap: 0.375 },
  rows: { minWidth: 34, height: 2, gap: 0.25 },
};
const HEAD_REM = 2;

export class AgentsPanel {
  /** `board`: {store, clocks, flagsOf(agentKey), isStale(site), site(), open(agentKey)} */
  constructor(root, board) {
    this.root = root;
    this.board = board;
    this.filter = { text: "", states: new Set(), queue: "", site: "" };
    this.sort = SORTS.includes(recall("agents.sort")) ? recall("agents.sort") : "team";
    this.view = recall("agents.view") === "rows" ? "rows" : "cards";
    this.byName = [];
    this.#build();
    this.list = new VirtualList(this.scroller, {
      geometry: () => this.#geometry(),
      create: (item) => (item.head ? createHead() : createCard((key) => board.open(key))),
      update: (node, item) => (item.head ? updateHead(node, item) : updateCard(node, item, board.clocks)),
    });
    this.scroller.addEventListener("keydown", (event) => this.#move(event));
    this.scroller.addEventListener("focusin", ({ target }) => this.#rove(target));
  }

  #build() {
    this.search = h("input", { class: "input search", type: "search", autocomplete: "off", spellcheck: "false" });
    this.search.addEventListener("input", () => {
      this.filter.text = this.search.value.trim();
      this.arrange();
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.clearFilter();
    });
    this.title = h("h2");
    this.queuePill = h("button", { class: "button pill", type: "button", hidden: true });
    this.queuePill.addEventListener("click", () => this.filterQueue(""));
    this.sortBox = h(
      "select",
      { class: "select" },
      SORTS.map((sort) => h("option", { value: sort, selected: sort === this.sort })),
    );
    this.sortBox.addEventListener("change", () => this.#choose("sort", this.sortBox.value));
    this.views = ["cards", "rows"].map((view) =>
      h("button", { type: "button", data: { view }, on: { click: () => this.#choose("view", view) } }, icon(view)),
    );
    this.viewGroup = h("div", { class: "segments", role: "group" }, this.views);
    this.chips = h("div", { class: "chips", role: "group" });
    this.legend = legend();
    this.scroller = h("div", { class: "agents-scroll" });
    this.nobody = h("div", { class: "empty nobody", hidden: true });
    fill(
      this.root,
      h(
        "div",
        { class: "panel-head" },
        this.title,
        this.chips,
        this.queuePill,
        h("div", { class: "tools" }, this.search, this.sortBox, this.viewGroup, this.legend.node),
      ),
      this.nobody,
      this.scroller,
    );
  }

  #geometry() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const { minWidth, height, gap } = GEOMETRY[this.view];
    return { minWidth: minWidth * rem, height: height * rem, gap: gap * rem, headHeight: HEAD_REM * rem };
  }

  #choose(what, value) {
    this[what] = value;
    remember(`agents.${what}`, value);
    this.arrange();
  }

  clearFilter() {
    this.search.value = "";
    Object.assign(this.filter, { text: "", queue: "" });
    this.filter.states.clear();
    this.arrange();
  }

  filterQueue(queue) {
    this.filter.queue = this.filter.queue === queue ? "" : queue;
    this.board.changedQueueFilter(this.filter.queue);
    this.arrange();
  }

  /** Draw after changes. `keys` are the agents that changed; `all` when anything else did that cards show. */
  update(keys, all) {
    const { agents } = this.board.store;
    const members = agents.size !== this.byName.length || [...keys].some((key) => this.#renamed(key));
    if (members) this.byName = sortedByName(agents.values());
    else if (keys.size) this.byName = this.byName.map((agent) => agents.get(keyOf("agent", agent)) ?? agent);
    if (keys.size || all) this.arrange();
  }

  #renamed(key) {
    const [now, before] = [this.board.store.agents.get(key), this.known?.get(key)];
    return !now || !before || now.name !== before.name || now.team !== before.team;
  }

  /** Filter, sort and lay out anew. */
  arrange() {
    const { board, filter } = this;
    filter.site = board.site();
    this.known = new Map(this.byName.map((agent) => [keyOf("agent", agent), agent]));
    const shown = this.byName.filter((agent) => fits(agent, filter));
    const groups = arrange(shown, this.sort, {
      flagOf: (agent) => board.flagOf(keyOf("agent", agent)),
      titleOf: (site, team) => this.#groupTitle(site, team),
    });
    this.#drawTools(shown.length); // first: a list that is hidden has no width to lay out in
    this.list.setItems(groups.flatMap((group) => this.#groupItems(group)));
  }

  #groupTitle(site, team) {
    const name = team || t("agents.no_team");
    return this.board.manySites() ? `${this.board.siteLabel(site)} · ${name}` : name;
  }

  #groupItems({ key, title, agents }) {
    const { board } = this;
    const items = agents.map((agent) => ({
      key: keyOf("agent", agent),
      agent,
      flag: board.flagOf(keyOf("agent", agent)),
      stale: board.isStale(agent.site),
      queueLabel: agent.call ? board.queueLabel(agent.site, agent.call.queue) : "",
      peerName: agent.call ? board.agentName(agent.site, agent.call.peer) : "", // a colleague's, or the number itself
      siteLabel: board.manySites() ? board.siteLabel(agent.site) : "",
    }));
    if (!title) return items;
    return [{ key: `head:${key}`, head: true, title, total: agents.length, counts: countStates(agents) }, ...items];
  }

  #drawTools(shown) {
    const { filter } = this;
    const ofSite = this.byName.filter((agent) => fits(agent, { ...filter, text: "", states: new Set() }));
    const counts = countStates(ofSite);
    setText(this.title, shown === ofSite.length ? t("agents.all", { n: shown }) : t("agents.some", { shown, n: ofSite.length }));
    setAttr(this.search, "placeholder", t("agents.search"));
    setAttr(this.search, "aria-label", t("agents.search"));
    setAttr(this.sortBox, "aria-label", t("agents.sort"));
    for (const option of this.sortBox.options) setText(option, t(`agents.sort.${option.value}`));
    setAttr(this.viewGroup, "aria-label", t("agents.view"));
    for (const button of this.views) {
      setAttr(button, "aria-pressed", String(button.dataset.view === this.view));
      setAttr(button, "aria-label", t(`agents.view.${button.dataset.view}`));
      setAttr(button, "title", t(`agents.view.${button.dataset.view}`));
    }
    setData(this.scroller, "view", this.view);
    setAttr(this.list.canvas, "aria-label", t("agents.title"));
    this.#drawChips(counts);
    setHidden(this.queuePill, !filter.queue);
    if (filter.queue) {
      const [site, queue] = [filter.queue.slice(0, filter.queue.indexOf("/")), filter.queue.slice(filter.queue.indexOf("/") + 1)];
      fill(this.queuePill, t("agents.of_queue", { queue: this.board.queueLabel(site, queue) }), icon("close"));
    }
    this.#drawNobody(shown, ofSite.length);
    this.legend.render();
  }

  #drawChips(counts) {
    setAttr(this.chips, "aria-label", t("agents.filter"));
    keyed(
      this.chips,
      STATES,
      (state) => state,
      (state) => {
        const word = h("span");
        const number = h("span", { class: "chip-count" });
        const node = h("button", { class: "chip", type: "button", data: { state } }, icon(state), word, number);
        node.addEventListener("click", () => this.#toggle(state));
        node.parts = { word, number };
        return node;
      },
      (node, state) => {
        setText(node.parts.word, t(`state.${state}`));
        setText(node.parts.number, counts[state] ?? 0);
        setAttr(node, "aria-pressed", String(this.filter.states.has(state)));
        setData(node, "none", counts[state] ? "" : "yes");
      },
    );
  }

  #toggle(state) {
    if (!this.filter.states.delete(state)) this.filter.states.add(state);
    this.arrange();
  }

  #drawNobody(shown, all) {
    setHidden(this.nobody, shown > 0);
    setHidden(this.scroller, shown === 0);
    if (shown > 0) return;
    const clear = h("button", { class: "button", type: "button", on: { click: () => this.clearFilter() } }, t("agents.clear"));
    fill(this.nobody, h("p", {}, t(all ? "agents.none_fit" : "agents.none")), all ? clear : null);
  }

  /** Bring an agent into view, undoing filters that hide it, and give it the focus. */
  focus(key) {
    if (!this.list.places.has(key)) this.clearFilter();
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
      this.list.reveal(this.list.neighbour(card.agent.key, steps))?.focus({ preventScroll: true });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.board.open(card.agent.key);
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
    for (const node of this.list.nodes.values()) if (node.agent) tickCard(node, this.board.clocks, local);
    if (!this.tabStop?.isConnected) {
      const first = this.list.canvas.querySelector(".card");
      first?.setAttribute("tabindex", "0");
      this.tabStop = first;
    }
  }

  relabel() {
    for (const node of this.list.nodes.values()) node.drawn = null;
    this.drawnIn = language();
    this.arrange();
  }
}

/** Show where the eye should go. */
export function point(node) {
  node.classList.remove("pointed");
  void node.offsetWidth; // starts the animation anew
  node.classList.add("pointed");
}
