// Who could help which queue: the agents that advice about queues names.

import { inState, isOver } from "./survey.js";

const IDLE_S = 15; // a switch needs a few seconds to find a phone; who is ready for so long is passed over
const SPARE_S = 20; // who has just become ready is about to get a call of their own
const SOON_S = 10; // in wrap: before, they have not written anything down yet

/**
 * Lists of agents, the longest in their state first. By queue ("site/queue"): `over` in wrap or on break beyond the limit,
 * `idle` ready and not offered a call, `wrapping` in wrap within the limit, `pausing` on a break. By site: `spare`, ready
 * where nobody waits, and not the only one there.
 */
export function helpersOf(floor) {
  const lists = { over: new Map(), idle: new Map(), wrapping: new Map(), pausing: new Map(), spare: new Map() };
  const put = (map, key, agent) => (map.has(key) ? map.get(key).push(agent) : map.set(key, [agent]));
  for (const agent of floor.agents) {
    const list = listOf(floor, agent);
    if (!list) continue;
    const keys = agent.queues.map((queue) => `${agent.site}/${queue}`);
    const pauses = agent.state === "break";
    for (const key of keys) {
      if (pauses) put(lists.pausing, key, agent);
      if (list !== "pausing" && floor.waiting.has(key)) put(lists[list], key, agent);
    }
    if (list === "idle" && isSpare(floor, agent, keys)) put(lists.spare, agent.site, agent);
  }
  for (const map of Object.values(lists)) for (const list of map.values()) list.sort((a, b) => inState(floor, b) - inState(floor, a));
  return lists;
}

function listOf(floor, agent) {
  const { state } = agent;
  if (agent.flapping_since) return "";
  if (isOver(floor, agent, ["wrap", "break"], "warn")) return "over";
  if (state === "wrap") return inState(floor, agent) >= SOON_S ? "wrapping" : "";
  if (state === "break") return "pausing";
  return state === "ready" && inState(floor, agent) >= IDLE_S ? "idle" : "";
}

function isSpare(floor, agent, keys) {
  if (inState(floor, agent) < SPARE_S || keys.some((key) => floor.waiting.has(key))) return false;
  return agent.queues.every((queue) => (floor.queue(agent.site, queue)?.agents.ready ?? 0) > 1);
}
