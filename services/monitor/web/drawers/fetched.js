// What a drawer asks the server for: asked at once and again every so often, until the drawer closes.

import { api } from "/static/shared/api.js";
import { t } from "/static/shared/i18n.js";

const SOON_MS = 1500; // after a change on the floor: the server writes its records a moment later

export class Fetched {
  /** `onData(answer)` after each answer, `onFailure(words)` when there is none; the last answer stays. */
  constructor({ path, query = {}, everyMs, onData, onFailure }) {
    Object.assign(this, { path, query, onData, onFailure, ended: false, soon: null });
    this.timer = setInterval(() => this.ask(), everyMs);
    this.ask();
  }

  async ask() {
    try {
      const answer = await api.get(this.path, this.query);
      if (!this.ended) this.onData(answer);
    } catch (error) {
      if (error.name !== "ApiError") throw error;
      if (!this.ended) this.onFailure(failure(error));
    }
  }

  /** Something happened that the answer may tell of. */
  askSoon() {
    this.soon ??= setTimeout(() => {
      this.soon = null;
      this.ask();
    }, SOON_MS);
  }

  end() {
    this.ended = true;
    clearInterval(this.timer);
    clearTimeout(this.soon);
  }
}

/** Why there is no answer, in the reader's language, with the server's own words. */
export function failure({ status, title, detail }) {
  const known = { 0: "unreachable", 403: "forbidden", 404: "unknown", 503: "away" }[status] ?? "refused";
  return t(`drawer.failure.${known}`, { reason: detail || title });
}
