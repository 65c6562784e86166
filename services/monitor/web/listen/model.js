// The floor as an inspector looks at it: conversations, what makes each worth hearing, and in which order. Pure, no page.

import { SEVERITIES } from "../agentlist.js";
import { isRunning, isSlow, tookS } from "../transferfacts.js";

export const NEW_AGENT = "new_agent"; // the tag of the sites file
export const SHOWS = ["all", "mine", "new", "flagged", "slow"];
export const NO_FILTER = { show: "all", site: "", team: "", queue: "", q: "" };

// Why a call comes where it comes: the greater, the sooner it should be heard.
export const NEEDS = { alone: 6, critical: 5, slow: 5, warning: 4, transfer: 3, new: 2, talk: 1, ringing: 0 };

const TALKING = ["talking", "held"];
const HEARING = ["starting", "live"]; // states of a listen; one that waits hears nothing

/**
 * Every call that an agent is in, by key: {key, call, site, agentKey, agent, leg, isNew, talking, heldSince, transfer, flags,
 * listens, claim, alone, aloneSince, need, at}. `around`: {listensOf(callKey, agentKey), claimOf(callKey), heardUntil(callKey),
 * now(site)}. Of `before`, what this gave last, those stay that nothing changed about: a floor may have thousands.
 */
export function callItems(store, around, before = new Map()) {
  const means = { ...around, flags: flagsByCall(store), transfers: transfersByCall(store, around) };
  const items = new Map();
  for (const [key, call] of store.calls) {
    if (!call.legs.some((leg) => leg.agent_id)) continue; // whoever waits hears music
    const old = before.get(key);
    items.set(key, old && isAsBefore(old, call, store, means) ? old : callItem(key, call, store, means));
  }
  return items;
}

/** Whether there was and is nothing about a call but the call itself, and that is the very same. */
function isAsBefore(old, call, store, { flags, transfers, listensOf, claimOf }) {
  const { key, agentKey } = old;
  if (!old.plain || old.call !== call || old.agent !== (store.agents.get(agentKey) ?? null)) return false;
  return !flags.has(key) && !transfers.has(key) && !claimOf(key) && !listensOf(key, agentKey).length;
}

function callItem(key, call, store, { flags, transfers, listensOf, claimOf, heardUntil }) {
  const leg = leadingLeg(call);
  const agentKey = `${call.site}/${leg.agent_id}`;
  const agent = store.agents.get(agentKey) ?? null;
  const listens = listensOf(key, agentKey);
  const talking = TALKING.includes(leg.state);
  const isNew = call.legs.some((one) => store.agents.get(`${call.site}/${one.agent_id}`)?.tags.includes(NEW_AGENT));
  const since = agent?.call?.call_id === call.call_id ? agent.call.since : leg.since;
  const heard = listens.some(({ state }) => HEARING.includes(state)) || (agent?.listened ?? false);
  const item = {
    key, call, site: call.site, agentKey, agent, leg, talking, isNew, since, listens, heard,
    heldSince: heldSince(call),
    transfer: transfers.get(key) ?? null,
    flags: flags.get(key) ?? [],
    claim: claimOf(key),
    alone: isNew && talking && call.direction === "outbound" && !heard,
  };
  item.aloneSince = item.alone ? laterOf(since, heardUntil(key)) : null;
  item.need = needOf(item);
  item.at = Date.parse(item.aloneSince ?? since);
  item.plain = !isNew && !listens.length && !item.flags.length && !item.transfer && !item.claim;
  return item;
}

/** The leg that leads: who talks, before who rings, the agent before whoever is asked. */
function leadingLeg({ legs }) {
  const order = (leg) => (leg.agent_id ? 4 : 0) + (TALKING.includes(leg.state) ? 2 : 0) + (leg.role === "agent" ? 1 : 0);
  return legs.reduce((best, leg) => (order(leg) > order(best) ? leg : best));
}

/** Since when the customer is on hold: a held leg, and nobody who talks. */
function heldSince({ legs }) {
  const held = legs.filter((leg) => leg.state === "held");
  const talks = legs.some((leg) => leg.state === "talking" && leg.role !== "consult");
  return held.length && !talks ? held.map((leg) => leg.since).sort()[0] : null;
}

const laterOf = (a, b) => (b && (!a || Date.parse(b) > Date.parse(a)) ? b : a);

/** Each call's transfer: the one that runs, else the last slow one that is still told of. */
function transfersByCall(store, { now }) {
  const found = new Map();
  for (const transfer of store.transfers.values()) {
    const key = `${transfer.site}/${transfer.call_id}`;
    const running = isRunning(transfer);
    const slow = isSlow(transfer, running ? tookS(transfer, now(transfer.site)) : null);
    if (running || (slow && !found.has(key))) found.set(key, { transfer, running, slow });
  }
  return found;
}

/** The flags that are about a call: of it, of a transfer of it, of the agent who is on it. */
function flagsByCall(store) {
  const found = new Map();
  for (const flag of store.flags.values()) {
    const id = callOfFlag(flag, store);
    if (!id) continue;
    const key = `${flag.site}/${id}`;
    found.set(key, [...(found.get(key) ?? []), flag]);
  }
  for (const flags of found.values()) flags.sort((a, b) => severityOf(b) - severityOf(a));
  return found;
}

function callOfFlag({ site, subject, subject_id: id, labels }, store) {
  if (subject === "call") return id;
  if (subject === "transfer") return store.transfers.get(`${site}/${id}`)?.call_id ?? labels.call ?? "";
  if (labels.call) return labels.call;
  return subject === "agent" ? (store.agents.get(`${site}/${id}`)?.call?.call_id ?? "") : "";
}

const severityOf = ({ severity }) => SEVERITIES[severity] ?? 0;

function needOf({ alone, flags, transfer, isNew, talking }) {
  if (alone) return "alone";
  const worst = Math.max(0, ...flags.map(severityOf));
  if (worst >= SEVERITIES.critical) return "critical";
  if (transfer?.slow) return "slow";
  if (worst >= SEVERITIES.warning) return "warning";
  if (transfer?.running) return "transfer";
  if (!talking) return "ringing";
  return isNew ? "new" : "talk";
}

/** What should be heard first comes first; of the same need what nobody hears yet, then what has lasted longest. */
export function sorted(items) {
  const by = items.map((item) => ({ item, rank: 2 * NEEDS[item.need] - (item.heard ? 1 : 0) }));
  by.sort((a, b) => b.rank - a.rank || a.item.at - b.item.at || (a.item.key < b.item.key ? -1 : 1));
  return by.map(({ item }) => item);
}

/** `items` in the order in which `before` (keys) had them, new ones last: for a list that somebody is about to click in. */
export function inOrderOf(items, before) {
  const places = new Map(before.map((key, index) => [key, index]));
  const place = (item) => places.get(item.key) ?? before.length;
  return [...items].sort((a, b) => place(a) - place(b)); // the sort is stable: new ones stay in theirs
}

/** Whether `item` fits `filter`; `mine(item)`: it is on the reader's own list; `words(item)`: what a search looks in. */
export function fits(item, filter, { mine, words }) {
  const { site, call, agent } = item;
  if (filter.site && site !== filter.site) return false;
  if (filter.team && `${site}/${agent?.team}` !== filter.team) return false;
  if (filter.queue && `${site}/${call?.queue}` !== filter.queue) return false;
  if (filter.show === "mine" && !mine(item)) return false;
  if (filter.show === "new" && !item.isNew) return false;
  if (filter.show === "flagged" && !item.flags.length) return false;
  if (filter.show === "slow" && !item.transfer?.slow) return false;
  if (!filter.q) return true;
  const text = words(item);
  return filter.q.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** Whether a call is anybody's to hear because it needs it: nobody hears it, and nobody else took it. */
export function isNeeded({ need, heard, claim }, user) {
  return NEEDS[need] >= NEEDS.slow && !heard && (!claim || claim.user === user);
}

/** Agents without a call, as items that can be listened to from their next call on. `wanted(key, agent)` says which. */
export function idleItems(store, items, wanted) {
  const busy = new Set(items.flatMap(({ site, call }) => call.legs.map((leg) => `${site}/${leg.agent_id}`)));
  const idle = [];
  for (const [key, agent] of store.agents) {
    if (busy.has(key) || agent.state === "offline" || !wanted(key, agent)) continue;
    const isNew = agent.tags.includes(NEW_AGENT);
    idle.push({ key: `agent:${key}`, call: null, site: agent.site, agentKey: key, agent, leg: null, isNew, flags: [], listens: [], transfer: null, claim: null, need: "ringing", since: agent.since, heard: false, alone: false });
  }
  return idle;
}
