// The tiles of all queues, arranged to fill the screen; on several pages that turn by themselves when they do not fit.

import { fill, h, keyed, setAttr, setData, setHidden } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { keyOf } from "../store.js";
import { worst } from "./gap.js";
import { arrange } from "./layout.js";
import { createTile, tickTile, updateTile } from "./tile.js";

const LEAST_UNIT = 8.6; // pixels at 1080 lines: below that a figure cannot be read at ten metres
const LINES = 1080;
const RATIO = 16 / 9;
const MOST_SPARE = 14; // units of height that the figures may take up more

export class Tiles {
  constructor(root, board, { scale, pageS }) {
    Object.assign(this, { board, scale, pageS, page: 0, turned: null, queues: [], layout: null, nodes: new Map() });
    this.grid = h("div", { class: "tile-grid" });
    this.dots = h("div", { class: "dots", role: "img", hidden: true });
    fill(root, this.grid, this.dots);
    this.root = root;
    new ResizeObserver(() => this.#draw()).observe(root);
  }

  update() {
    this.queues = this.board.shownQueues();
    setHidden(this.root, this.queues.length === 0);
    if (this.queues.length) this.#draw();
  }

  #draw(local = performance.now()) {
    if (!this.queues.length || !this.root.clientWidth) return;
    this.#arrange();
    const { perPage, pages } = this.layout;
    this.page %= pages;
    const shown = this.queues.slice(this.page * perPage, (this.page + 1) * perPage);
    this.nodes = keyed(
      this.grid,
      shown,
      (queue) => keyOf("queue", queue),
      () => createTile(),
      (node, queue) => {
        setData(node, "shape", this.layout.shape);
        updateTile(node, queue, this.board);
      },
    );
    this.#tickTiles(local);
    this.#drawDots();
  }

  #arrange() {
    const height = this.root.clientHeight;
    const screen = Math.min(window.innerHeight, window.innerWidth / RATIO);
    const gap = screen * 0.009;
    const least = ((LEAST_UNIT * screen) / LINES) * this.scale;
    let layout = arrange(this.queues.length, this.root.clientWidth, height, { gap, least });
    const dots = layout.pages > 1 ? screen * 0.026 : 0; // the dots need a line of their own
    if (dots) layout = arrange(this.queues.length, this.root.clientWidth, height - dots, { gap, least });
    this.layout = layout;
    const { style } = this.grid;
    style.setProperty("--u", `${layout.unit.toFixed(2)}px`);
    style.setProperty("--spare", String(Math.min(MOST_SPARE, Math.max(0, layout.spare)).toFixed(2)));
    style.setProperty("--columns", String(layout.columns));
    style.setProperty("--rows", String(layout.rows));
    style.setProperty("--gap", `${gap.toFixed(1)}px`);
  }

  /** One dot a page; a page with a queue over its limit shows that, by colour and shape. */
  #drawDots() {
    const { perPage, pages } = this.layout;
    setHidden(this.dots, pages < 2);
    if (pages < 2) return;
    setAttr(this.dots, "aria-label", t("hall.page", { n: this.page + 1, all: pages }));
    const each = Array.from({ length: pages }, (_, n) => n);
    keyed(
      this.dots,
      each,
      (n) => n,
      () => h("span", { class: "dot" }),
      (dot, n) => {
        const level = worst(...this.queues.slice(n * perPage, (n + 1) * perPage).map((queue) => this.levels?.get(keyOf("queue", queue)) ?? ""));
        setData(dot, "here", n === this.page ? "yes" : "");
        setData(dot, "tone", level);
      },
    );
  }

  /** `levels`: each shown queue's level, of all pages. */
  tick(local, levels) {
    this.levels = levels;
    this.#tickTiles(local);
    if (!this.layout || this.layout.pages < 2) {
      this.turned = null;
      return;
    }
    this.turned ??= local;
    if (local - this.turned >= this.pageS * 1000) {
      this.turned = local;
      this.page += 1;
      this.#draw(local);
      this.#enter();
    } else {
      this.#drawDots();
    }
  }

  #tickTiles(local) {
    const { unit, shape, spare, columns } = this.layout ?? {};
    for (const node of this.nodes.values()) tickTile(node, this.board, local, `${unit} ${shape} ${spare} ${columns}`);
  }

  #enter() {
    this.grid.classList.remove("entering");
    void this.grid.offsetWidth; // so that the animation begins anew
    this.grid.classList.add("entering");
  }
}
