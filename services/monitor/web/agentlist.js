// Which agents are shown, in which order: pure functions, no page.

/** All displayed states, in the order in which a supervisor scans them. */
export const STATES = ["ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown", "offline"];

export const SORTS = ["team", "name", "attention"];

export const SEVERITIES = { critical: 3, warning: 2, info: 1 };

// Without a flag: what a supervisor would look at next. Offline people need nothing.
const STATE_NEED = { unknown: 8, hold: 7, consult: 6, ringing: 5, wrap: 4, break: 3, talk: 2, ready: 1, offline: 0 };

/** {state: number of agents}. */
export function countStates(agents) {
  const counts = {};
  for (const agent of agents) counts[agent.state] = (counts[agent.state] ?? 0) + 1;
  return counts;
}

/** Whether `agent` fits `filter`: {text, states: Set (empty: all), queue: "site/queue" or "", site: "" for all}. */
export function fits(agent, filter) {
  if (filter.site && agent.site !== filter.site) return false;
  if (filter.queue && !agent.queues.some((queue) => `${agent.site}/${queue}` === filter.queue)) return false;
  if (filter.states.size && !filter.states.has(agent.state)) return false;
  if (!filter.text) return true;
  const words = [agent.name, agent.agent_id, agent.team, agent.reason, agent.call?.peer, ...agent.queues, ...agent.tags];
  const text = words.filter(Boolean).join(" ").toLowerCase();
  return filter.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const collator = new Intl.Collator(["zh-CN", "en"], { numeric: true, sensitivity: "base" });

/** `agents` by name. Comparing words is the slow part, so a board does this only when a name or a member changed. */
export function sortedByName(agents) {
  return [...agents].sort(
    (a, b) => collator.compare(a.name || a.agent_id, b.name || b.agent_id) || collator.compare(a.agent_id, b.agent_id),
  );
}

/** Worst first: severity of the flag, then the state, then who has been in it longest. `flagOf(agent)` or null. */
function byNeed(flagOf) {
  const severity = (agent) => SEVERITIES[flagOf(agent)?.severity] ?? 0;
  return (a, b) =>
    severity(b) - severity(a) ||
    (STATE_NEED[b.state] ?? 9) - (STATE_NEED[a.state] ?? 9) ||
    (a.since < b.since ? -1 : Number(a.since > b.since));
}

/**
 * Groups [{key, title, agents}] in the order to show, of agents that are sorted by name already; one nameless group unless
 * sorted by team. `titleOf(site, team)` names a group.
 */
export function arrange(agents, sort, { flagOf, titleOf }) {
  if (sort === "attention") return [{ key: "", title: "", agents: [...agents].sort(byNeed(flagOf)) }];
  if (sort === "name") return [{ key: "", title: "", agents }];
  const teams = new Map();
  for (const agent of agents) {
    const key = `${agent.site}/${agent.team}`;
    if (!teams.has(key)) teams.set(key, { key, site: agent.site, team: agent.team, agents: [] });
    teams.get(key).agents.push(agent);
  }
  const nameless = (group) => Number(group.team === "");
  return [...teams.values()]
    .sort(
      (a, b) =>
        collator.compare(a.site, b.site) || nameless(a) - nameless(b) || collator.compare(a.team, b.team),
    )
    .map(({ key, site, team, agents: members }) => ({ key, title: titleOf(site, team), agents: members }));
}
