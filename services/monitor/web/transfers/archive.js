// The finished transfers that the server gave so far: page by page, kept in step with what ends meanwhile.

import { api } from "/static/shared/api.js";
import { keyOf } from "./model.js";

const PAGE = 100;
const AGAIN_MS = 15_000;
const RETRY_MS = 5000;
const SOON_MS = 1500; // the recorder reads what has just ended

export class Archive {
  /** `changed()` after each answer. */
  constructor(changed) {
    Object.assign(this, { changed, rows: new Map(), next: null, state: "idle", trouble: null, asked: 0, query: null, answeredAt: null });
    this.busy = false;
  }

  /** Begin anew with another query. What another query found is not shown for this one. */
  begin(query) {
    const text = JSON.stringify(query);
    if (text === JSON.stringify(this.query)) return;
    Object.assign(this, { query, rows: new Map(), next: null, state: "loading", trouble: null, answeredAt: null });
    this.asked += 1; // answers on the way are for another query
    this.busy = false;
    this.#ask("");
  }

  /** Ask for the first page again. */
  refresh() {
    if (this.query && !this.busy) this.#ask("");
  }

  /** A transfer has ended: it will be there in a moment. */
  soon() {
    this.#later(SOON_MS);
  }

  /** The next page, when there is one and none is on its way. */
  more() {
    if (this.next && !this.busy) this.#ask(this.next);
  }

  /** Take a case that was saved or read, so that the list says it too. */
  put(key, found) {
    const row = this.rows.get(key);
    if (row) this.rows.set(key, { ...row, case: found });
    this.changed();
  }

  async #ask(cursor) {
    const mine = this.asked;
    this.busy = true;
    try {
      const { transfers, next } = await api.get("/api/v1/transfers", { ...this.query, limit: PAGE, cursor });
      if (mine !== this.asked) return;
      for (const transfer of transfers) this.rows.set(keyOf(transfer), transfer);
      if (cursor || this.state !== "ready") this.next = next; // a first page that is read again does not lose the place of the last one
      Object.assign(this, { state: "ready", trouble: null, answeredAt: Date.now() });
      this.#later(AGAIN_MS);
    } catch (error) {
      if (mine !== this.asked) return;
      Object.assign(this, { trouble: error, state: this.answeredAt ? "ready" : "trouble" });
      this.#later(error.status === 403 || error.status === 404 ? AGAIN_MS : RETRY_MS);
    }
    this.busy = false;
    this.changed();
  }

  #later(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (document.hidden ? this.#later(AGAIN_MS) : this.refresh()), wait);
  }
}
