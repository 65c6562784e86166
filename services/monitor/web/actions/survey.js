// The floor as advice sees it: only what is of now, with ages on each site's clock.

/** Why nothing of a site may be advised on: "" when it is of now. */
export const REASONS = ["lost", "down", "silent", "never"];

/**
 * `floor`: maps (or lists) of views {sites, queues, agents, calls, transfers, flags}; `thresholds`: of(queue), agent(state);
 * `now(site)`: that site's time in ms; `staleOf(site)`: "" or one of REASONS; `only`: a site, or "" for all.
 */
export function survey({ floor, thresholds, now, staleOf, only = "" }) {
  const of = (name) => [...(floor[name]?.values() ?? [])].filter((view) => !only || view.site === only);
  const sites = of("sites");
  const reasons = new Map(sites.map(({ site }) => [site, staleOf(site)]));
  const fresh = (view) => reasons.get(view.site) === "";
  const queues = of("queues").filter(fresh);
  const agents = of("agents").filter(fresh);
  const times = new Map(sites.map(({ site }) => [site, now(site)]));
  const elapsed = (site, at) => {
    const seconds = ((times.get(site) ?? NaN) - at) / 1000;
    return Number.isNaN(seconds) ? null : Math.max(0, seconds);
  };
  return {
    sites,
    reasons,
    queues,
    agents,
    transfers: of("transfers").filter(fresh),
    flags: of("flags").filter(fresh),
    thresholds,
    now: (site) => times.get(site) ?? NaN,
    since: ({ site }, iso) => elapsed(site, iso ? Date.parse(iso) : NaN),
    inState: (agent) => elapsed(agent.site, beganAt(agent)) ?? 0,
    call: (site, id) => floor.calls?.get?.(`${site}/${id}`) ?? of("calls").find((view) => view.site === site && view.call_id === id) ?? null,
    waiting: new Set(queues.filter((queue) => queue.waiting > 0).map(queueKey)),
    queue: (site, id) => floor.queues?.get?.(`${site}/${id}`) ?? queues.find((view) => view.site === site && view.queue === id) ?? null,
    agent: (site, id) => floor.agents?.get?.(`${site}/${id}`) ?? agents.find((view) => view.site === site && view.agent_id === id) ?? null,
  };
}

const began = new WeakMap(); // view -> ms: of ten thousand agents few change between two looks, and reading a time is slow

function beganAt(agent) {
  let at = began.get(agent);
  if (at === undefined) began.set(agent, (at = Date.parse(agent.since)));
  return at;
}

export const queueKey = (queue) => `${queue.site}/${queue.queue}`;
export const agentKey = (agent) => `${agent.site}/${agent.agent_id}`;
export const labelOf = (queue) => queue.label || queue.queue;
export const nameOf = (agent) => agent.name || agent.agent_id;

/** How long an agent has been in its state; 0 when that is not known. */
export function inState(floor, agent) {
  return floor.inState(agent);
}

/** Whether an agent is in one of `states` for longer than the threshold `level` ("warn", "crit") of the one it is in, by `more` seconds. */
export function isOver(floor, agent, states, level, more = 0) {
  if (!states.includes(agent.state)) return false;
  const limit = floor.thresholds.agent(agent.state)?.[level];
  return Number.isFinite(limit) && inState(floor, agent) > limit + more;
}

/** `value` against {warn, crit} where more is worse. */
export function severityOf(value, limits, otherwise = "info") {
  if (limits && value > limits.crit) return "critical";
  return limits && value > limits.warn ? "warning" : otherwise;
}
