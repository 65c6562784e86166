// Asks for the floor of a moment: one question at a time, and of those that come meanwhile the last.

import { api } from "/static/shared/api.js";

const AGAIN_MS = 2000;
const TIMES = 5; // tries of one moment while the server is busy

export class Pictures {
  /** `onPicture({site, at, now, floor}, wanted)`; `onError(error, again)`: `again` when it will be tried again by itself. */
  constructor({ onPicture, onError }) {
    Object.assign(this, { onPicture, onError, wanted: null, asking: false, timer: null });
  }

  get busy() {
    return this.asking || this.timer !== null;
  }

  want(site, at) {
    this.wanted = { site, at, tries: 0 };
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.asking) this.#ask();
  }

  /** Whatever comes is not wanted any more. */
  stop() {
    this.wanted = null;
    clearTimeout(this.timer);
    this.timer = null;
  }

  async #ask() {
    const wanted = this.wanted;
    this.asking = true;
    let told;
    try {
      const path = `/api/v1/rewind/${encodeURIComponent(wanted.site)}/floor`;
      const picture = await api.get(path, { at: new Date(wanted.at).toISOString() });
      told = () => this.onPicture(picture, wanted);
    } catch (error) {
      told = () => this.#refused(wanted, error);
    }
    this.asking = false;
    if (this.wanted === wanted) {
      this.wanted = null;
      told();
    } else if (this.wanted !== null) {
      this.#ask();
    }
  }

  #refused(wanted, error) {
    wanted.tries += 1;
    const again = [0, 429, 503].includes(error.status) && wanted.tries < TIMES;
    if (again) {
      this.wanted = wanted;
      this.timer = setTimeout(() => {
        this.timer = null;
        this.#ask();
      }, AGAIN_MS);
    }
    this.onError(error, again);
  }
}
