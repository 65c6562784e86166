// The floor as the feed tells it: one map per kind of entity, and what has changed since the page was last drawn.

const KINDS = {
  site: ["sites", (view) => view.site],
  queue: ["queues", (view) => `${view.site}/${view.queue}`],
  agent: ["agents", (view) => `${view.site}/${view.agent_id}`],
  call: ["calls", (view) => `${view.site}/${view.call_id}`],
  transfer: ["transfers", (view) => `${view.site}/${view.transfer_id}`],
  flag: ["flags", (view) => `${view.site}/${view.flag_id}`],
};

/** The key of `view`, the same as in the feed's changes. */
export function keyOf(kind, view) {
  return KINDS[kind][1](view);
}

export class Store {
  constructor() {
    for (const [name] of Object.values(KINDS)) this[name] = new Map();
    this.loaded = false; // a snapshot has come
    this.changed = new Map(); // kind -> Set of keys
  }

  /** Take a whole floor. What is the same as before stays the same object, so that nothing is redrawn without need. */
  replace(floor) {
    for (const [kind, [name, key]] of Object.entries(KINDS)) {
      const next = new Map(floor[name].map((view) => [key(view), view]));
      const before = this[name];
      for (const gone of before.keys()) if (!next.has(gone)) this.#mark(kind, gone);
      for (const [id, view] of next) {
        const old = before.get(id);
        if (old !== undefined && JSON.stringify(old) === JSON.stringify(view)) next.set(id, old);
        else this.#mark(kind, id);
      }
      this[name] = next;
    }
    this.loaded = true;
  }

  /** Take the changes of one delta. A kind this page does not know is skipped: servers may be newer than pages. */
  apply(changes) {
    for (const { kind, key, value } of changes) {
      if (!(kind in KINDS)) continue;
      const map = this[KINDS[kind][0]];
      if (value === null) map.delete(key);
      else map.set(key, value);
      this.#mark(kind, key);
    }
  }

  /** The changes since the last call: a map of kind to keys. */
  takeChanged() {
    const changed = this.changed;
    this.changed = new Map();
    return changed;
  }

  #mark(kind, key) {
    if (!this.changed.has(kind)) this.changed.set(kind, new Set());
    this.changed.get(kind).add(key);
  }
}
