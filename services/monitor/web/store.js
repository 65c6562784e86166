// The floor as the feed tells it: one map per kind of entity, what has changed since the page was last drawn, and who is on
// which call or transfer. Nothing here walks the floor for a change of one entity: a floor may have ten thousand agents.

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

/** Whether two values that came as JSON say the same. */
export function same(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => same(a[name], b[name]));
}

export class Store {
  constructor() {
    for (const [name] of Object.values(KINDS)) this[name] = new Map();
    this.loaded = false; // a snapshot has come
    this.changed = new Map(); // kind -> Set of keys
    this.agentOfCall = new Map(); // call's key -> key of the agent whose card shows it
    this.runningTransfers = new Map(); // of all transfers, which are mostly over
    this.running = new Map(); // agent's key -> the running transfer that they began or are asked for
  }

  /** Take a whole floor. What is the same as before stays the same object, so that nothing is redrawn without need. */
  replace(floor) {
    for (const [kind, [name, key]] of Object.entries(KINDS)) {
      const before = this[name];
      const next = new Map();
      for (const view of floor[name]) {
        const id = key(view);
        const old = before.get(id);
        if (old !== undefined && same(old, view)) {
          next.set(id, old);
        } else {
          next.set(id, view);
          this.#mark(kind, id);
        }
      }
      for (const gone of before.keys()) if (!next.has(gone)) this.#mark(kind, gone);
      this[name] = next;
    }
    this.agentOfCall.clear();
    for (const [key, agent] of this.agents) this.#place(key, undefined, agent);
    this.runningTransfers = new Map([...this.transfers].filter(([, { outcome }]) => outcome === "running"));
    this.#findRunning();
    this.loaded = true;
  }

  /** Take the changes of one delta. A kind this page does not know is skipped: servers may be newer than pages. */
  apply(changes) {
    let transfers = false;
    for (const { kind, key, value } of changes) {
      if (!(kind in KINDS)) continue;
      const map = this[KINDS[kind][0]];
      if (kind === "agent") this.#place(key, map.get(key), value);
      if (value === null) map.delete(key);
      else map.set(key, value);
      if (kind === "transfer") transfers = this.#takeTransfer(key, value) || transfers;
      if (kind === "call" && this.agentOfCall.has(key)) this.#mark("agent", this.agentOfCall.get(key)); // its card shows who holds
      this.#mark(kind, key);
    }
    if (transfers) this.#findRunning();
  }

  /** Keep in mind whose card shows which call. */
  #place(key, before, after) {
    const was = before?.call && `${before.site}/${before.call.call_id}`;
    const is = after?.call && `${after.site}/${after.call.call_id}`;
    if (was && was !== is && this.agentOfCall.get(was) === key) this.agentOfCall.delete(was);
    if (is) this.agentOfCall.set(is, key);
  }

  /** Whether another transfer runs now, or what runs is otherwise. */
  #takeTransfer(key, value) {
    if (value?.outcome !== "running") return this.runningTransfers.delete(key);
    this.runningTransfers.set(key, value);
    return true;
  }

  /** Running transfers are few. An agent whose card shows another one counts as changed. */
  #findRunning() {
    const before = this.running;
    this.running = new Map();
    for (const transfer of this.runningTransfers.values()) {
      if (transfer.to_agent) this.running.set(`${transfer.site}/${transfer.to_agent}`, transfer);
      this.running.set(`${transfer.site}/${transfer.from_agent}`, transfer);
    }
    for (const key of [...before.keys(), ...this.running.keys()]) {
      if (before.get(key) !== this.running.get(key) && this.agents.has(key)) this.#mark("agent", key);
    }
  }

  /** Count as changed what `other`, which was drawn until now, does not show as the very same object. */
  markOtherThan(other) {
    for (const [kind, [name]] of Object.entries(KINDS)) {
      for (const [id, view] of this[name]) if (other[name].get(id) !== view) this.#mark(kind, id);
      for (const id of other[name].keys()) if (!this[name].has(id)) this.#mark(kind, id);
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
