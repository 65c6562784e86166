// A list that is asked for page by page: its rows so far, where it goes on, and what went wrong.

import { h } from "/static/shared/dom.js";

export const PAGE = 30;

/** Who extends it has `ask(cursor)`, which gives {rows, next}, and `draw()`, which shows `rows`, `failure` and `more`. */
export class Paged {
  constructor() {
    Object.assign(this, { rows: [], cursor: null, failure: null, asked: false });
    this.body = h("div");
    this.more = h("button", { class: "button", type: "button", hidden: true, on: { click: () => this.refresh(this.cursor) } });
    this.node = h("div", {}, this.body, h("div", { class: "row more" }, this.more));
  }

  async refresh(cursor = "") {
    try {
      const { rows, next } = await this.ask(cursor);
      this.rows = cursor ? [...this.rows, ...rows] : rows;
      Object.assign(this, { cursor: next, failure: null });
    } catch (error) {
      this.failure = error;
    }
    this.asked = true;
    this.draw();
  }
}
