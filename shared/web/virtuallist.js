// A scrolling list of which only the visible part exists. It shows groups: a heading across the width, if there is one, and
// lines of up to `columns` cards. All lines of a list are of one height, so that where something goes is arithmetic and a
// list of ten thousand is laid out in no time. Nodes are kept by key while they are visible, so that a card that moves
// stays the same element; those that leave the view are used again.

import { h } from "/static/shared/dom.js";

const OVERSCAN_PX = 300;
const SPARE = 120; // nodes kept for what scrolls in next

export class VirtualList {
  /**
   * `geometry()` -> {minWidth, height, headHeight, gap} in px; `create(item)`, `update(node, item, index)`; items are
   * {key, …}, `index` counts lines from 0 in the order shown, headings too.
   */
  constructor(scroller, { geometry, create, update }) {
    Object.assign(this, { scroller, geometry, create, update });
    this.canvas = h("div", { class: "virtual-canvas", role: "list" });
    scroller.append(this.canvas);
    this.groups = [];
    this.nodes = new Map();
    this.spare = { head: [], item: [] };
    this.columns = 1;
    this.width = 0;
    this.lines = 0;
    scroller.addEventListener("scroll", () => this.draw(false), { passive: true });
    new ResizeObserver(() => this.relayout()).observe(scroller);
  }

  /** `groups`: [{head: item or null, items}]. */
  setGroups(groups) {
    this.groups = groups.map(({ head, items }) => ({ head, items }));
    this.places = null;
    this.relayout();
  }

  /** Make every node anew: they are to look otherwise. */
  reset() {
    this.canvas.replaceChildren();
    this.nodes.clear();
    this.spare = { head: [], item: [] };
  }

  /** Compute where everything goes: needed when the groups, the width or the geometry changed. */
  relayout() {
    const width = this.canvas.clientWidth;
    if (!width) return; // hidden
    const { minWidth, height, headHeight, gap } = this.geometry();
    Object.assign(this, { width, height, headHeight, gap });
    this.columns = Math.max(1, Math.floor((width + gap) / (minWidth + gap)));
    this.cardWidth = (width - gap * (this.columns - 1)) / this.columns;
    let [top, line] = [0, 0];
    for (const group of this.groups) {
      const lines = Math.ceil(group.items.length / this.columns);
      Object.assign(group, { top, line, first: top + (group.head ? headHeight : 0), lines });
      top = group.first + lines * (height + gap);
      line += lines + (group.head ? 1 : 0);
    }
    this.lines = line;
    this.canvas.style.height = `${top}px`;
    this.#measure();
    this.draw();
  }

  /** What is asked for once and not with every frame: how much of the scroller is seen, and what a sticky head covers of it. */
  #measure() {
    const { scroller, canvas } = this;
    this.seen = scroller.clientHeight;
    this.above = canvas.getBoundingClientRect().top - scroller.getBoundingClientRect().top - scroller.clientTop + scroller.scrollTop;
  }

  /** Show newer items in place of those of the same key, as far as they are visible; order and layout stay. */
  replace(items) {
    for (const item of items) {
      const node = this.nodes.get(item.key);
      if (node) this.update(node, item, node.index);
    }
  }

  /** Make exactly the visible lines exist; bring those up to date that existed already only if `refresh`. */
  draw(refresh = true) {
    if (!this.width) return;
    const top = this.scroller.scrollTop - this.above;
    const wanted = this.#wanted(top - OVERSCAN_PX, top + this.seen + OVERSCAN_PX);
    const focused = document.activeElement;
    for (const [key, node] of this.nodes) {
      if (!wanted.has(key) && !node.contains(focused)) this.#retire(key, node);
    }
    let before = null;
    for (const place of wanted.values()) before = this.#show(place, before, refresh);
  }

  /** What is between two heights: key -> {item, kind, left, top, width, height, index}. */
  #wanted(from, to) {
    const wanted = new Map();
    const step = this.height + this.gap;
    for (let at = this.#firstGroup(from); at < this.groups.length && this.groups[at].top < to; at += 1) {
      const { head, items, top, first, line, lines } = this.groups[at];
      const { width, headHeight } = this;
      if (head) wanted.set(head.key, { item: head, kind: "head", left: 0, top, width, height: headHeight, index: line });
      const end = Math.min(lines, Math.ceil((to - first) / step));
      for (let row = Math.max(0, Math.floor((from - first) / step)); row < end; row += 1) {
        const index = line + row + (head ? 1 : 0);
        for (let column = 0; column < this.columns; column += 1) {
          const item = items[row * this.columns + column];
          if (item) wanted.set(item.key, this.#placeOf(item, first + row * step, column, index));
        }
      }
    }
    return wanted;
  }

  #placeOf(item, top, column, index) {
    const left = column * (this.cardWidth + this.gap);
    return { item, kind: "item", left, top, width: this.cardWidth, height: this.height, index };
  }

  #firstGroup(from) {
    let [low, high] = [0, this.groups.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const next = this.groups[middle + 1];
      if (next && next.top < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Put an item after `before` in the document, so that reading and tabbing follow what is seen. */
  #show({ item, kind, left, top, width, height, index }, before, refresh) {
    let node = this.nodes.get(item.key);
    if (node && !refresh) return node;
    if (!node) {
      node = this.spare[kind].pop() ?? this.create(item);
      node.kind = kind;
      this.nodes.set(item.key, node);
    }
    const next = before ? before.nextSibling : this.canvas.firstChild;
    if (node !== next) this.canvas.insertBefore(node, next);
    const place = `${left}|${top}|${width}|${height}`;
    if (node.place !== place) {
      node.place = place;
      node.style.transform = `translate(${left}px, ${top}px)`;
      node.style.width = `${width}px`;
      node.style.height = `${height}px`;
    }
    node.index = index;
    this.update(node, item, index);
    return node;
  }

  #retire(key, node) {
    this.nodes.delete(key);
    node.remove();
    const spare = this.spare[node.kind];
    if (spare.length < SPARE) spare.push(node);
  }

  /** Where each item is: key -> [group, place in it]; made when it is asked for first. */
  #find(key) {
    if (this.places === null || this.places === undefined) {
      this.places = new Map();
      for (const group of this.groups) group.items.forEach((item, at) => this.places.set(item.key, [group, at]));
    }
    return this.places.get(key);
  }

  /** Whether `key` is in the list, seen or not. */
  has(key) {
    return this.#find(key) !== undefined;
  }

  /** Scroll so that `key` is in the middle of the view if it is not seen; returns its node, or null when it is not there. */
  reveal(key) {
    const found = this.#find(key);
    if (!found || !this.width) return null;
    const [group, at] = found;
    const top = group.first + Math.floor(at / this.columns) * (this.height + this.gap);
    const { scrollTop } = this.scroller;
    const { above, seen } = this;
    if (top < scrollTop || top + this.height + above > scrollTop + seen) {
      this.scroller.scrollTop = top - (seen - above - this.height) / 2;
    }
    this.draw();
    return this.nodes.get(key) ?? null;
  }

  /** The key `steps` items further on from `key`, headings left out; the last one at either end. */
  neighbour(key, steps) {
    const found = this.#find(key);
    if (!found) return key;
    let [group, at] = found;
    let index = this.groups.indexOf(group);
    at += steps;
    while (at < 0 && index > 0) {
      index -= 1;
      at += this.groups[index].items.length;
    }
    while (at >= this.groups[index].items.length && index < this.groups.length - 1) {
      at -= this.groups[index].items.length;
      index += 1;
    }
    const { items } = this.groups[index];
    return items[Math.min(items.length - 1, Math.max(0, at))]?.key ?? key;
  }

  /** How many lines a page is. */
  get page() {
    return Math.max(1, Math.floor(this.seen / (this.height + this.gap)) - 1);
  }
}
