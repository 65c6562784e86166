// A scrolling list of lines of which only the visible ones exist. A line is a heading or a row of up to `columns` cards.
// Nodes are kept by key while they are visible, so that a card that moves stays the same element.

import { h } from "/static/shared/dom.js";

const OVERSCAN_PX = 300;

export class VirtualList {
  /**
   * `geometry()` -> {minWidth, height, headHeight, gap} in px; `create(item)`, `update(node, item)`; items are
   * {key, head: bool, ...}; heads span the width.
   */
  constructor(scroller, { geometry, create, update }) {
    Object.assign(this, { scroller, geometry, create, update });
    this.canvas = h("div", { class: "virtual-canvas", role: "list" });
    scroller.append(this.canvas);
    this.items = [];
    this.lines = [];
    this.nodes = new Map();
    this.columns = 1;
    this.cardWidth = 0;
    this.width = 0;
    scroller.addEventListener("scroll", () => this.draw(false), { passive: true });
    new ResizeObserver(() => this.relayout()).observe(scroller);
  }

  setItems(items) {
    this.items = items;
    this.relayout();
  }

  /** Compute where everything goes: needed when the items, the width or the geometry changed. */
  relayout() {
    const { minWidth, height, headHeight, gap } = this.geometry();
    const width = this.canvas.clientWidth;
    this.lines = [];
    if (!width) return; // hidden
    Object.assign(this, { width, gap });
    this.columns = Math.max(1, Math.floor((width + gap) / (minWidth + gap)));
    this.cardWidth = (width - gap * (this.columns - 1)) / this.columns;
    let top = 0;
    let line = null;
    for (const item of this.items) {
      if (item.head) {
        line = null;
        this.lines.push({ top, height: headHeight, items: [item] });
        top += headHeight;
        continue;
      }
      if (line === null || line.items.length === this.columns) {
        line = { top, height, items: [] };
        this.lines.push(line);
        top += height + gap;
      }
      line.items.push(item);
    }
    this.canvas.style.height = `${top}px`;
    this.draw();
  }

  /** Show newer items in place of those of the same key, as far as they are visible; order and layout stay. */
  replace(items) {
    for (const item of items) {
      const node = this.nodes.get(item.key);
      if (node) this.update(node, item);
    }
  }

  /** Make exactly the visible lines exist; bring those up to date that existed already only if `refresh`. */
  draw(refresh = true) {
    const from = this.scroller.scrollTop - OVERSCAN_PX;
    const to = this.scroller.scrollTop + this.scroller.clientHeight + OVERSCAN_PX;
    const wanted = new Set();
    let before = null;
    for (let index = this.#firstLine(from); index < this.lines.length && this.lines[index].top < to; index += 1) {
      const line = this.lines[index];
      line.items.forEach((item, column) => {
        wanted.add(item.key);
        before = this.#show(item, line, column, before, refresh);
      });
    }
    for (const [key, node] of this.nodes) {
      if (!wanted.has(key) && !node.contains(document.activeElement)) {
        node.remove();
        this.nodes.delete(key);
      }
    }
  }

  #firstLine(from) {
    let low = 0;
    let high = this.lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle].top + this.lines[middle].height < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Put `item` after `before` in the document, so that reading and tabbing follow what is seen. */
  #show(item, line, column, before, refresh) {
    let node = this.nodes.get(item.key);
    if (node && !refresh) return node;
    if (!node) {
      node = this.create(item);
      this.nodes.set(item.key, node);
    }
    const next = before ? before.nextSibling : this.canvas.firstChild;
    if (node !== next) this.canvas.insertBefore(node, next);
    const left = column * (this.cardWidth + this.gap);
    const width = item.head ? this.width : this.cardWidth;
    const place = `${left}|${line.top}|${width}|${line.height}`;
    if (node.place !== place) {
      node.place = place;
      node.style.transform = `translate(${left}px, ${line.top}px)`;
      node.style.width = `${width}px`;
      node.style.height = `${line.height}px`;
    }
    this.update(node, item);
    return node;
  }

  #lineOf(key) {
    return this.lines.find((line) => line.items.some((item) => item.key === key));
  }

  /** Whether `key` is in the list, seen or not. */
  has(key) {
    return this.#lineOf(key) !== undefined;
  }

  /** Scroll so that `key` is in the middle of the view; returns its node, or null when it is not in the list. */
  reveal(key) {
    const line = this.#lineOf(key);
    if (!line) return null;
    const { scrollTop, clientHeight } = this.scroller;
    if (line.top < scrollTop || line.top + line.height > scrollTop + clientHeight) {
      this.scroller.scrollTop = line.top - (clientHeight - line.height) / 2;
    }
    this.draw();
    return this.nodes.get(key) ?? null;
  }

  /** The key `steps` items further on from `key`, headings left out; the same key at either end. */
  neighbour(key, steps) {
    const cards = this.items.filter((item) => !item.head);
    const index = cards.findIndex((item) => item.key === key);
    return cards[Math.min(cards.length - 1, Math.max(0, index + steps))]?.key ?? key;
  }
}
