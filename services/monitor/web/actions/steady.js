// Holding a ranking still enough to be read: what flickers for a second moves nothing.

const APPEAR_MS = 1000; // a cause must last as long before it is told, unless it is told by the tenth of a second
const LINGER_MS = 2000; // what ended stays as "over" for as long, so that nothing moves under a finger
const SETTLE_MS = 1500; // a new weight must last as long
const SAME = 0.2; // and differ by more than this share
const MUCH = 2; // from here on it counts at once

/**
 * The items to show. `found`: items by id as they are now; `memory`: what the last call returned, or null for a first one;
 * `at`: ms on any steady clock; `stillTrue(item)`: whether an item that ended may still be shown as over.
 */
export function settle(found, memory, at, stillTrue) {
  const items = new Map();
  for (const item of found) {
    const before = memory?.get(item.id);
    items.set(item.id, before ? follow(before, item, at) : { item, score: item.score, first: at, shown: !memory || Boolean(item.instant), seen: at });
  }
  for (const entry of items.values()) entry.shown ||= at - entry.first >= APPEAR_MS;
  const taken = new Set(found.flatMap((item) => item.agents));
  for (const [id, entry] of memory ?? []) {
    if (items.has(id) || !entry.picked || at - entry.seen > LINGER_MS || !stillTrue(entry.item)) continue;
    if (entry.item.agents.some((agent) => taken.has(agent))) continue; // they are told of elsewhere by now
    for (const agent of entry.item.agents) taken.add(agent);
    items.set(id, { ...entry, over: true });
  }
  return items;
}

function follow(before, item, at) {
  const { first, shown } = before;
  const entry = { item, score: before.score, first, shown, seen: at };
  const change = Math.abs(item.score - before.score);
  if (change <= SAME * before.score) return entry;
  const since = before.unlike ?? at;
  if (at - since >= SETTLE_MS || item.score > MUCH * before.score) return { ...entry, score: item.score };
  return { ...entry, unlike: since };
}
