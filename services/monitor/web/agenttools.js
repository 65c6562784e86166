// Above the agents: how many, find, filter by state and queue, order, cards or rows. Holds what is chosen.

import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { recall, remember } from "/static/shared/storage.js";
import { SORTS, STATES } from "./agentlist.js";
import { legend } from "./legend.js";

const VIEWS = ["cards", "rows"];

export class AgentTools {
  /** `onChoice()` is called whenever something else was chosen. */
  constructor(root, onChoice) {
    this.onChoice = onChoice;
    this.filter = { text: "", states: new Set(), queue: "", site: "" };
    this.sort = SORTS.includes(recall("agents.sort")) ? recall("agents.sort") : "team";
    this.view = recall("agents.view") === "rows" ? "rows" : "cards";
    this.title = h("h2");
    this.chips = h("div", { class: "chips", role: "group" });
    this.#buildPill();
    this.#buildSearch();
    this.#buildSort();
    this.#buildViews();
    this.legend = legend();
    const tools = h("div", { class: "tools" }, this.search, this.sortBox, this.viewGroup, this.legend.node);
    fill(root, h("div", { class: "panel-head" }, this.title, this.chips, this.pill, tools));
  }

  #buildPill() {
    this.pillText = h("span");
    this.pill = h("button", { class: "button pill", type: "button", hidden: true }, this.pillText, icon("close"));
    this.pill.addEventListener("click", () => this.filterQueue(this.filter.queue));
  }

  #buildSearch() {
    this.search = h("input", { class: "input search", type: "search", autocomplete: "off", spellcheck: "false" });
    this.search.addEventListener("input", () => {
      this.filter.text = this.search.value.trim();
      this.onChoice();
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.clear();
    });
  }

  #buildSort() {
    const options = SORTS.map((sort) => h("option", { value: sort, selected: sort === this.sort }));
    this.sortBox = h("select", { class: "select" }, options);
    this.sortBox.addEventListener("change", () => this.#choose("sort", this.sortBox.value));
  }

  #buildViews() {
    this.views = VIEWS.map((view) =>
      h("button", { type: "button", data: { view }, on: { click: () => this.#choose("view", view) } }, icon(view)),
    );
    this.viewGroup = h("div", { class: "segments", role: "group" }, this.views);
  }

  #choose(what, value) {
    this[what] = value;
    remember(`agents.${what}`, value);
    this.onChoice();
  }

  /** Undo every filter; order and view stay. */
  clear() {
    this.search.value = "";
    Object.assign(this.filter, { text: "", queue: "" });
    this.filter.states.clear();
    this.onChoice();
  }

  /** Only this queue's agents; all again when it is chosen a second time. */
  filterQueue(queue) {
    this.filter.queue = this.filter.queue === queue ? "" : queue;
    this.onChoice();
  }

  /** `counts` by state of the `all` agents that could be shown, of which `shown` are. */
  draw({ counts, all, shown, queueLabel }) {
    setText(this.title, shown === all ? t("agents.all", { n: all }) : t("agents.some", { shown, n: all }));
    for (const [node, key] of [
      [this.search, "agents.search"],
      [this.sortBox, "agents.sort"],
      [this.viewGroup, "agents.view"],
      [this.chips, "agents.filter"],
    ]) {
      setAttr(node, "aria-label", t(key));
    }
    setAttr(this.search, "placeholder", t("agents.search"));
    for (const option of this.sortBox.options) setText(option, t(`agents.sort.${option.value}`));
    for (const button of this.views) {
      setAttr(button, "aria-pressed", String(button.dataset.view === this.view));
      setAttr(button, "aria-label", t(`agents.view.${button.dataset.view}`));
      setAttr(button, "title", t(`agents.view.${button.dataset.view}`));
    }
    setHidden(this.pill, !this.filter.queue);
    setText(this.pillText, this.filter.queue ? t("agents.of_queue", { queue: queueLabel }) : "");
    this.#drawChips(counts);
    this.legend.render();
  }

  #drawChips(counts) {
    keyed(
      this.chips,
      STATES,
      (state) => state,
      (state) => this.#createChip(state),
      (node, state) => {
        setText(node.parts.word, t(`state.${state}`));
        setText(node.parts.number, counts[state] ?? 0);
        setAttr(node, "aria-pressed", String(this.filter.states.has(state)));
        setData(node, "none", counts[state] ? "" : "yes");
      },
    );
  }

  #createChip(state) {
    const parts = { word: h("span"), number: h("span", { class: "chip-count" }) };
    const node = h("button", { class: "chip", type: "button", data: { state } }, icon(state), parts.word, parts.number);
    node.addEventListener("click", () => {
      if (!this.filter.states.delete(state)) this.filter.states.add(state);
      this.onChoice();
    });
    node.parts = parts;
    return node;
  }
}
