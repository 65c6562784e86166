// What somebody dealt with: which causes an action of the log holds back, and for how much longer.

import { DONE_MS } from "./rank.js";

const BY_QUEUE = { wait_wrap: "wait", wait_break: "wait", wait_elsewhere: "wait", wait_ready: "wait", wait_nobody: "wait", abandoned: "abandoned", service_level: "service_level" };
const BY_TRANSFER = { transfer_slow: "transfer", transfer_failed: "transfer_failed" };

/** The causes (rank.js) of an action as the server keeps it; none for kinds whose cause it does not name. */
export function causesOf({ site, kind, queue, agents = [], transfer_id: transfer }) {
  if (kind in BY_QUEUE) return queue ? [`${BY_QUEUE[kind]}:${site}/${queue}`] : [];
  if (kind in BY_TRANSFER) return transfer ? [`${BY_TRANSFER[kind]}:${site}/${transfer}`] : [];
  if (kind === "stale") return [`stale:${site}`];
  return agents.map((agent) => `${kind}:${site}/${agent}`);
}

export class Marks {
  constructor() {
    this.done = new Map(); // cause -> {at, site, floorAt}
    this.known = new Set(); // ids of actions that were taken in: a cause that ended since must not come back with the next list
  }

  /** `item` was dealt with at `at` = performance.now(), `floorAt` by its site's clock. Returns a function that takes it back. */
  add(item, at, floorAt) {
    const before = this.done;
    this.done = new Map(before);
    for (const { key, site } of item.causes) this.done.set(key, { at, site, floorAt });
    return () => {
      this.done = before;
    };
  }

  /** Take the server's list, newest first: what others did, and what was done before this page was opened. */
  hear(actions, at, wallNow) {
    for (const action of actions) {
      if (this.known.has(action.id)) continue;
      this.known.add(action.id);
      const ago = Math.max(0, wallNow - Date.parse(action.done_at));
      if (!(ago < DONE_MS)) continue;
      const mark = { at: at - ago, site: action.site, floorAt: Date.parse(action.before?.at) };
      for (const key of causesOf(action)) if (!this.done.has(key)) this.done.set(key, mark);
    }
    const still = new Set(actions.map((action) => action.id));
    for (const id of this.known) if (!still.has(id)) this.known.delete(id);
  }
}
