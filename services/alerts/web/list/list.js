// The list: lines in groups, of which only the visible part exists; one of them has the cursor, any number are selected.
//
// What changes is drawn at the next frame. Where lines stand is settled a few times a second at most, so that a storm does not
// shuffle the list under somebody's hand, and never while the pointer is pressed.

import { h, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { onTick } from "/static/shared/ticker.js";
import { VirtualList } from "/static/shared/virtuallist.js";
import { siteName, siteTitle } from "../sites.js";
import { COLUMNS, createRow, drawRow, tickRow } from "./row.js";
import { Selection } from "./selection.js";

const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
const ROW_REM = 3.375;
const HEAD_REM = 2.125;
const NEAR_END = 20; // lines; then more is asked for
const FRESH_MS = 6000; // for so long a new one is seen to be new

export class IncidentList {
  /** `does`: {open(number), take(number), more(), selected()}: what lines and keys ask for. */
  constructor(root, does) {
    this.does = does;
    this.items = new Map(); // number -> {key, incident, selected, fresh}
    this.order = []; // numbers, as they stand
    this.cursor = null;
    this.placed = false; // whether somebody put the cursor there: until then it is on what stands on top
    this.opened = null; // whose detail is open
    this.around = { marked: [], open: null };
    this.selection = new Selection(() => this.order);
    this.box = h("input", { type: "checkbox", tabindex: "-1" });
    this.box.addEventListener("change", () => this.selectAll(this.box.checked));
    this.head = h("div", { class: "incident-head", role: "row", "aria-rowindex": "1" });
    this.scroller = h("div", { class: "incident-scroller" });
    this.grid = h("div", { class: "incidents", role: "grid", "aria-multiselectable": "true" }, h("div", { role: "rowgroup" }, this.head), this.scroller);
    root.append(this.grid);
    this.virtual = new VirtualList(this.scroller, {
      geometry: () => ({ minWidth: Infinity, height: Math.round(ROW_REM * rem()), headHeight: Math.round(HEAD_REM * rem()), gap: 0 }),
      create: (item) => (item.group ? createHead() : createRow(this.rowDoes)),
      update: (node, item, index) => this.#update(node, item, index),
    });
    setAttr(this.virtual.canvas, "role", "rowgroup");
    this.scroller.addEventListener("scroll", () => this.#nearEnd(), { passive: true });
    this.grid.addEventListener("focusin", ({ target }) => this.#focused(target));
    onTick(() => this.#tick());
    onLanguage(() => this.titles());
    this.titles();
  }

  get rowDoes() {
    return {
      open: (number) => this.does.open(number),
      take: (number) => this.does.take(number),
      select: (number, event) => this.select(number, event.shiftKey ? "range" : "toggle"),
    };
  }

  titles() {
    setAttr(this.grid, "aria-label", t("list.label"));
    setAttr(this.box, "aria-label", t("list.select.all"));
    const titles = COLUMNS.map((name) => {
      const cell = h("div", { class: `cell cell-${name}`, role: "columnheader" });
      if (name === "select") cell.append(this.box);
      else cell.append(h("span", { class: name === "action" ? "visually-hidden" : "", text: t(`col.${name}`) }));
      return cell;
    });
    this.head.replaceChildren(...titles);
  }

  // ---------------------------------------------------------------- what is shown

  /** `groups` as narrow.js has them; `fresh`: numbers that have just come. */
  show(groups, { marked, whole, fresh = [] }) {
    const before = this.order;
    const focused = this.scroller.contains(document.activeElement) ? this.cursor : null;
    this.around = { marked, open: this.opened };
    this.order = groups.flatMap(({ rows }) => rows.map(({ id }) => id));
    const kept = new Map();
    const shown = groups.map(({ key, name, rows }) => ({
      head: name ? { key, group: groups, name, count: rows.length } : null,
      items: rows.map((incident) => this.#item(incident, kept)),
    }));
    this.items = kept;
    for (const number of fresh) this.#freshen(number);
    this.selection.keep(kept);
    this.#keepCursor(before, focused);
    this.virtual.setGroups(shown);
    if (focused !== null) this.#focus(this.cursor);
    setAttr(this.grid, "aria-rowcount", whole ? this.virtual.lines + 1 : -1);
    this.#drawBox();
    this.#nearEnd();
  }

  #item(incident, kept) {
    const item = this.items.get(incident.id) ?? { key: incident.id, fresh: false };
    item.incident = incident;
    item.selected = this.selection.has(incident.id);
    kept.set(incident.id, item);
    return item;
  }

  #freshen(number) {
    const item = this.items.get(number);
    if (!item) return;
    item.fresh = true;
    setTimeout(() => {
      item.fresh = false;
      this.redraw([number]);
    }, FRESH_MS);
  }

  /** Show newer versions in their place. */
  replace(incidents) {
    const changed = [];
    for (const incident of incidents) {
      const item = this.items.get(incident.id);
      if (!item) continue;
      item.incident = incident;
      changed.push(item);
    }
    this.virtual.replace(changed);
  }

  redraw(numbers = this.items.keys()) {
    this.virtual.replace([...numbers].map((number) => this.items.get(number)).filter(Boolean));
  }

  /** The detail of `number` is open beside the list; null: none is. */
  setOpened(number) {
    this.opened = this.around.open = number;
    this.redraw();
  }

  #update(node, item, index) {
    node.item = item;
    if (item.group) drawHead(node, item, index);
    else {
      drawRow(node, item, index, this.around);
      const reached = item.key === this.cursor || !this.virtual?.nodes.has(this.cursor); // Tab finds a way in, also where that is out of sight
      setAttr(node, "tabindex", reached ? "0" : "-1");
    }
  }

  #tick() {
    for (const node of this.virtual.nodes.values()) if (node.item && !node.item.group) tickRow(node);
  }

  #nearEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    if (scrollHeight - scrollTop - clientHeight < NEAR_END * this.virtual.height) this.does.more();
  }

  // ---------------------------------------------------------------- the cursor

  /** It stays with its incident; where that is gone, the next one that stood there gets it. */
  #keepCursor(before, focused) {
    if (this.placed && this.items.has(this.cursor)) return;
    const was = this.cursor;
    const at = this.placed ? before.indexOf(was) : -1;
    const after = at < 0 ? [] : before.slice(at).concat(before.slice(0, at).reverse());
    this.cursor = after.find((number) => this.items.has(number)) ?? this.order[0] ?? null;
    this.placed &&= this.cursor !== null;
    if (this.cursor === was) return;
    this.redraw();
    if (focused !== null) document.activeElement.blur(); // a line that keeps the focus would be kept though it is gone
  }

  #focused(target) {
    const row = target.closest(".incident");
    if (!row) return;
    const before = this.cursor;
    this.#put(row.item.key);
    this.redraw([before, this.cursor]);
  }

  #put(number) {
    this.cursor = number;
    this.placed = number !== null;
  }

  #focus(number) {
    const node = number === null ? null : this.virtual.reveal(number);
    node?.focus({ preventScroll: true });
  }

  /** Put the cursor there, and the focus. */
  go(number) {
    const before = this.cursor;
    this.#put(number);
    this.redraw([before, number]);
    this.#focus(number);
  }

  get focused() {
    return this.scroller.contains(document.activeElement);
  }

  /** The incident `steps` further on; the first of all where the cursor was nowhere yet. */
  move(steps, { extend = false } = {}) {
    if (!this.order.length) return;
    const from = this.cursor;
    const to = this.focused || steps !== 1 ? this.virtual.neighbour(from, steps) : from;
    this.go(to ?? this.order[0]);
    if (extend) {
      this.selection.extend(from, this.cursor);
      this.#selected();
    }
  }

  moveTo(end) {
    if (this.order.length) this.go(this.order.at(end === "first" ? 0 : -1));
  }

  get page() {
    return this.virtual.page;
  }

  // ---------------------------------------------------------------- the selection

  select(number, how) {
    if (how === "range") this.selection.range(number);
    else this.selection.toggle(number);
    this.#put(number);
    this.#selected();
  }

  selectAll(on) {
    if (on) this.selection.all();
    else this.selection.clear();
    this.#selected();
  }

  /** Only these. */
  selectOnly(numbers) {
    this.selection.only(numbers);
    this.#selected();
  }

  #selected() {
    for (const item of this.items.values()) item.selected = this.selection.has(item.key);
    this.redraw();
    this.#drawBox();
    this.does.selected();
  }

  #drawBox() {
    const { size } = this.selection;
    this.box.checked = size > 0 && size === this.order.length;
    this.box.indeterminate = size > 0 && size < this.order.length;
    this.box.disabled = this.order.length === 0;
  }

  /** Those who are selected, else the one with the cursor where the list has the focus. */
  get meant() {
    if (this.selection.size) return [...this.selection];
    return this.focused && this.cursor !== null ? [this.cursor] : [];
  }
}

// ---------------------------------------------------------------- a group's heading

function createHead() {
  const shape = h("span", { class: "group-shape" });
  const name = h("span", { class: "group-name" });
  const count = h("span", { class: "group-count" });
  const node = h("div", { class: "group-head", role: "row" }, h("div", { class: "group-title", role: "rowheader" }, shape, name, count));
  node.parts = { shape, name, count };
  return node;
}

function drawHead(node, { name, count }, index) {
  const severity = ["critical", "warning", "info"].includes(name);
  setAttr(node, "aria-rowindex", index + 2);
  node.dataset.tone = severity ? name : "quiet";
  const { shape, name: words, count: number } = node.parts;
  setHidden(shape, !severity);
  if (severity && shape.dataset.of !== name) {
    shape.dataset.of = name;
    shape.replaceChildren(icon(name));
  }
  setText(words, severity ? t(`severity.${name}`) : siteName(name));
  setAttr(words, "title", severity ? null : siteTitle(name));
  setText(number, count);
}
