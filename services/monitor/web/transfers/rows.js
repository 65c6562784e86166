// A list of lines of one height of which only the visible ones exist; endless: near its end it asks for more.

import { h, setAttr } from "/static/shared/dom.js";

const OVERSCAN = 8;

export class Rows {
  /** `create()`, `update(node, item)`; items are {key, …}; `more()` when the end comes into view. */
  constructor(scroller, { rowRem, create, update, more = () => {}, label }) {
    Object.assign(this, { scroller, rowRem, create, update, more, items: [], nodes: new Map() });
    this.canvas = h("div", { class: "rows-canvas", role: "listbox", "aria-label": label });
    scroller.append(this.canvas);
    scroller.addEventListener("scroll", () => this.draw(false), { passive: true });
    new ResizeObserver(() => this.draw(false)).observe(scroller);
  }

  setItems(items) {
    this.items = items;
    this.draw(true);
  }

  get height() {
    return this.rowRem * parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  draw(refresh) {
    const { scroller, canvas, items, height } = this;
    canvas.style.height = `${items.length * height}px`;
    const first = Math.max(0, Math.floor(scroller.scrollTop / height) - OVERSCAN);
    const last = Math.min(items.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / height) + OVERSCAN);
    const wanted = new Map();
    for (let index = first; index < last; index += 1) {
      const item = items[index];
      const known = this.nodes.get(item.key);
      const node = known ?? this.create();
      wanted.set(item.key, node);
      if (!known || refresh) this.update(node, item);
      if (!known) canvas.append(node);
      node.style.transform = `translateY(${index * height}px)`;
      node.style.height = `${height}px`;
      setAttr(node, "aria-setsize", items.length);
      setAttr(node, "aria-posinset", index + 1);
    }
    for (const [key, node] of this.nodes) if (wanted.get(key) !== node) node.remove();
    this.nodes = wanted;
    if (last >= items.length - OVERSCAN && scroller.clientHeight) this.more();
  }

  reveal(key) {
    const index = this.items.findIndex((item) => item.key === key);
    if (index < 0) return;
    const { scroller, height } = this;
    const top = index * height;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + height > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + height - scroller.clientHeight;
    this.draw(false);
  }
}
