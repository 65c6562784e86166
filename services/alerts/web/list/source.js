// What the page knows, from the service's API and feed. Everything unresolved is here whole, however much it is; resolved ones,
// of which there may be a year's, come in pages as somebody scrolls.

import { api } from "/static/shared/api.js";
import { BackOff, SocketClient } from "/static/shared/live.js";
import { setServerNow } from "../time.js";
import { Store } from "./store.js";
import { VIEWS } from "./view.js";

const PATH = "/api/v1/incidents";
const PAGE = 500;
const FEWER = 100; // resolved ones at once
const MOST = 10_000; // unresolved ones; who has more has other troubles
const AGAIN_MS = [1000, 5000]; // the first wait and the longest
const SIGNED_OUT = 4401;

export class Source {
  /** `onChange()` after anything is otherwise; `onNews(incident, before)` for each incident that the feed tells of. */
  constructor({ onChange, onNews, onSilences = () => {} }) {
    Object.assign(this, { onChange, onNews, onSilences });
    this.store = new Store();
    this.connection = { state: "connecting", since: Date.now() };
    this.status = null;
    this.failure = null; // the error of the last question, until one is answered
    this.loading = true;
    this.cursor = null; // where the next page of resolved ones begins
    this.counts = null; // by state, as the service counts them
    this.view = null;
    this.turn = 0; // an answer that belongs to an older question is nobody's
    this.retry = null;
    this.backOff = new BackOff(...AGAIN_MS);
  }

  start(view) {
    this.view = { ...view };
    this.feed = new SocketClient({ onState: (state) => this.#moved(state), onMessage: (message) => this.#hear(message) }).start();
    return this;
  }

  /** Another view or another filter: what is unresolved is here already, the rest is asked for. */
  follow(view) {
    const before = this.view;
    this.view = { ...view };
    const whole = before.view === "unresolved" && view.view === "unresolved";
    if (!whole) this.ask();
  }

  #moved(state) {
    this.connection = state;
    if (state.state === "refused" && state.code === SIGNED_OUT) api.get("/api/v1/me").catch(() => {}); // 401 leads to /login.html
    this.onChange();
  }

  #hear(message) {
    if (message.type === "hello") {
      setServerNow(message.now);
      this.status = message.status;
      this.ask();
    } else if (message.type === "beat") setServerNow(message.now);
    else if (message.type === "status") this.#statusIs(message.status);
    else if (message.type === "incident") this.#incidentIs(message.incident);
    else if (message.type === "silences") this.onSilences();
    else if (message.type === "resync") this.ask();
  }

  #statusIs(status) {
    const back = this.status?.state !== "live" && status.state === "live";
    this.status = status;
    if (back || this.failure) this.ask();
    this.onChange();
  }

  #incidentIs(incident) {
    const before = this.store.hear(incident);
    this.#count(before, incident);
    this.onNews(incident, before);
    this.onChange();
  }

  /** Keep the service's counts by state up to date, where they are of everything. */
  #count(before, incident) {
    if (this.view.view !== "unresolved" || !this.counts) return;
    const was = before?.state ?? (incident.openings > 1 || incident.state === "resolved" ? "resolved" : null);
    if (was === incident.state) return;
    if (was) this.counts[was] -= 1;
    this.counts[incident.state] += 1;
  }

  /** What somebody did here, as the service answered. */
  took(incidents) {
    for (const incident of incidents) this.#count(this.store.hear(incident), incident);
    this.onChange();
  }

  /** Ask for the whole list, or for the first page of what is resolved, too. */
  async ask() {
    const mine = (this.turn += 1);
    clearTimeout(this.retry);
    this.loading = true;
    try {
      this.store.asked();
      if (this.view.view === "unresolved") await this.#askAll(mine);
      else await this.#askPage(mine, "");
      if (mine !== this.turn) return;
      this.failure = null;
      this.loading = false;
      this.backOff.reset();
    } catch (error) {
      if (mine !== this.turn) return;
      this.failure = error;
      this.loading = false;
      this.retry = setTimeout(() => this.ask(), this.backOff.next());
    }
    this.onChange();
  }

  async #askAll(mine) {
    const numbers = new Set();
    let cursor = "";
    do {
      const found = await api.get(PATH, { state: VIEWS.unresolved, order: "urgency", limit: PAGE, cursor });
      if (mine !== this.turn) return;
      this.store.add(found.incidents);
      for (const { id } of found.incidents) numbers.add(id);
      this.counts = found.counts;
      cursor = found.next_cursor;
      if (cursor) this.onChange(); // what has come is shown
    } while (cursor && numbers.size < MOST);
    this.store.keepOnly(numbers);
    this.store.whole = !cursor;
    this.cursor = null;
  }

  /** The next page of a list that is not here whole. */
  async more() {
    if (this.loading || !this.cursor) return;
    const mine = this.turn;
    this.loading = true;
    try {
      await this.#askPage(mine, this.cursor);
    } catch (error) {
      if (mine === this.turn) this.failure = error;
    }
    if (mine !== this.turn) return;
    this.loading = false;
    this.onChange();
  }

  async #askPage(mine, cursor) {
    const { view, states, severities, site, rule, held, text, owner, me } = this.view;
    const query = { state: states.length ? states : VIEWS[view], severity: severities, site, rule, held, q: text.trim() };
    const found = await api.get(PATH, { ...query, owner: owner === "mine" ? me : "", limit: FEWER, cursor });
    if (mine !== this.turn) return;
    if (!cursor) this.store.keepOnly(new Set(found.incidents.map(({ id }) => id)));
    this.store.add(found.incidents);
    this.counts = found.counts;
    this.cursor = found.next_cursor;
    this.store.whole = false;
  }
}
