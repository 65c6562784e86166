// The incidents that this page knows, kept by what the service says: an older version never replaces a newer one.

import { learnSites } from "../sites.js";

export class Store {
  constructor() {
    this.all = new Map(); // number -> incident
    this.whole = false; // everything that is unresolved is here
    this.heard = new Set(); // told by the feed since the list was asked for
  }

  get(number) {
    return this.all.get(number);
  }

  /** From now on the list is asked for: what the feed tells meanwhile is newer than the answer may be. */
  asked() {
    this.heard.clear();
  }

  /** One incident from the feed, or the answer to something done. Returns what was known of it before, or null for news. */
  hear(incident) {
    this.heard.add(incident.id);
    return this.#put(incident);
  }

  /** A part of a list that was asked for. */
  add(incidents) {
    for (const incident of incidents) this.#put(incident);
  }

  /** The whole of a list has come, with these numbers: what is not in it and was not heard of since is none of it. */
  keepOnly(numbers) {
    for (const number of this.all.keys()) if (!numbers.has(number) && !this.heard.has(number)) this.all.delete(number);
  }

  /** What is resolved is no longer looked at: there may be very many. */
  letGo(state) {
    for (const [number, one] of this.all) if (one.state === state) this.all.delete(number);
  }

  #put(incident) {
    learnSites([incident]);
    const known = this.all.get(incident.id) ?? null;
    if (known === null || known.version <= incident.version) this.all.set(incident.id, incident);
    return known;
  }
}
