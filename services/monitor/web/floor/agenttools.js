// Above the agents: how many, find, filter, order, cards or grid, columns, help. What is chosen is in viewstate.js.

import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { STATES } from "../agentlist.js";
import { columnChooser } from "./columnchooser.js";
import { COLUMN } from "./columns.js";
import { drawPills, filterBox } from "./filters.js";
import { legend } from "./legend.js";
import { popup } from "/static/shared/popup.js";
import { SORTS, VIEWS } from "./viewstate.js";

export class AgentTools {
  constructor(root, view, board) {
    Object.assign(this, { view, board });
    this.title = h("h2");
    this.chips = h("div", { class: "chips", role: "group" });
    this.flagged = h("button", { class: "chip", type: "button", data: { tone: "warning" } }, icon("warning"), h("span"), h("span", { class: "chip-count" }));
    this.flagged.addEventListener("click", () => view.flagged(!view.filter.flagged));
    this.pills = h("div", { class: "pills" });
    this.#buildSearch();
    this.sortBox = h("select", { class: "select" });
    this.sortBox.addEventListener("change", () => view.like({ sort: this.sortBox.value }));
    this.#buildViews();
    this.filters = popup({ id: "filters", shape: "filter", draw: () => filterBox(view, board) });
    this.columns = popup({ id: "columns", shape: "columns", draw: () => columnChooser(view) });
    this.legend = legend();
    onLanguage(() => [this.filters, this.columns].forEach((one) => one.redraw()));
    const tools = h("div", { class: "tools" }, this.search, this.filters.button, this.sortBox, this.viewGroup, this.columns.button, this.legend.node);
    const first = h("div", { class: "panel-head" }, this.title, this.pills, tools);
    const second = h("div", { class: "chips-line" }, this.flagged, this.chips);
    fill(root, first, second, this.filters.box, this.columns.box);
  }

  #buildSearch() {
    this.search = h("input", { class: "input search", type: "search", autocomplete: "off", spellcheck: "false" });
    this.search.addEventListener("input", () => this.view.search(this.search.value.trim()));
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") {
        event.preventDefault();
        this.board.agents.enter();
      }
    });
  }

  #buildViews() {
    this.views = VIEWS.map((view) =>
      h("button", { type: "button", data: { view }, on: { click: () => this.view.like({ view }) } }, icon(view)),
    );
    this.viewGroup = h("div", { class: "segments", role: "group" }, this.views);
  }

  /** `counts` by state of the `all` agents that could be shown, of which `shown` are and `flagged` have a flag. */
  draw({ counts, all, shown, flagged }) {
    const { view, board } = this;
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
    if (document.activeElement !== this.search) this.search.value = view.filter.text;
    this.#drawSort();
    for (const button of this.views) {
      setAttr(button, "aria-pressed", String(button.dataset.view === view.view));
      setAttr(button, "aria-label", t(`agents.view.${button.dataset.view}`));
      setAttr(button, "title", t(`agents.view.${button.dataset.view}`));
    }
    this.filters.label(t("filter.title"));
    this.columns.label(t("columns.title"));
    setHidden(this.columns.button, view.view !== "rows");
    setData(this.filters.button, "some", view.filter.queue || view.filter.team || view.filter.tag ? "yes" : "");
    drawPills(this.pills, view, board);
    this.filters.redraw();
    this.columns.redraw();
    this.#drawChips(counts, flagged);
    this.legend.render();
  }

  /** A column that is sorted by is one more choice of the order. */
  #drawSort() {
    const { sort } = this.view;
    const options = SORTS.includes(sort) ? SORTS : [...SORTS, sort];
    const word = (one) => {
      if (SORTS.includes(one)) return t(`agents.sort.${one}`);
      const column = t(`column.${COLUMN.get(one.replace(/^-/, "")).id}`);
      return t(one.startsWith("-") ? "agents.sort.down" : "agents.sort.up", { column });
    };
    keyed(
      this.sortBox,
      options,
      (one) => one,
      (one) => h("option", { value: one }),
      (node, one) => setText(node, word(one)),
    );
    if (this.sortBox.value !== sort) this.sortBox.value = sort;
  }

  #drawChips(counts, flagged) {
    setText(this.flagged.children[1], t("agents.flagged"));
    setText(this.flagged.lastChild, flagged);
    setAttr(this.flagged, "aria-pressed", String(this.view.filter.flagged));
    setData(this.flagged, "none", flagged ? "" : "yes");
    keyed(
      this.chips,
      STATES,
      (state) => state,
      (state) => this.#createChip(state),
      (node, state) => {
        setText(node.parts.word, t(`state.${state}`));
        setText(node.parts.number, counts[state] ?? 0);
        setAttr(node, "aria-pressed", String(this.view.filter.states.has(state)));
        setData(node, "none", counts[state] ? "" : "yes");
      },
    );
  }

  #createChip(state) {
    const parts = { word: h("span"), number: h("span", { class: "chip-count" }) };
    const node = h("button", { class: "chip", type: "button", data: { state } }, icon(state), parts.word, parts.number);
    node.addEventListener("click", () => this.view.toggleState(state));
    node.parts = parts;
    return node;
  }
}
