// Which agents are shown, in which order: pure functions, no page.

/** All displayed states, in the order in which a supervisor scans them. */
export const STATES = ["ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown", "offline"];

export const SORTS = ["team", "name", "attention"];

export const SEVERITIES = { critical: 3, warning: 2, info: 1 };

// Without a flag: what a supervisor would look at next. Offline people need nothing.
const STATE_NEED = { unknown: 8, hold: 7, consult: 6, ringing: 5, wrap: 4, break: 3, talk: 2, ready: 1, offline: 0 };

/** {state: number of items}. */
export function countStates(items) {
  const counts = {};
  for (const { agent } of items) counts[agent.state] = (counts[agent.state] ?? 0) + 1;
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

/** Items {key, agent} by name. Comparing words is the slow part, so a board does this only when a name or a member changed. */
export function sortedByName(items) {
  const name = ({ agent }) => agent.name || agent.agent_id;
  return [...items].sort((a, b) => collator.compare(name(a), name(b)) || collator.compare(a.key, b.key));
}

/** Worst first: severity of the flag, then the state, then who has been in it longest. `flagOf(key)` or null. */
function byNeed(flagOf) {
  const severity = (item) => SEVERITIES[flagOf(item.key)?.severity] ?? 0;
  return (a, b) =>
    severity(b) - severity(a) ||
    (STATE_NEED[b.agent.state] ?? 9) - (STATE_NEED[a.agent.state] ?? 9) ||
    (a.agent.since < b.agent.since ? -1 : Number(a.agent.since > b.agent.since));
}

/**
 * Groups [{key, title, items}] in the order to show, of items that are sorted by name already; one nameless group unless
 * sorted by team. `titleOf(site, team)` names a group.
 */
export function arrange(items, sort, { flagOf, titleOf }) {
  if (sort === "attention") return [{ key: "", title: "", items: [...items].sort(byNeed(flagOf)) }];
  if (sort === "name") return [{ key: "", title: "", items }];
  const teams = new Map();
  for (const item of items) {
    const { site, team } = item.agent;
    const key = `${site}/${team}`;
    if (!teams.has(key)) teams.set(key, { key, site, team, items: [] });
    teams.get(key).items.push(item);
  }
  const nameless = (group) => Number(group.team === "");
  return [...teams.values()]
    .sort(
      (a, b) =>
        collator.compare(a.site, b.site) || nameless(a) - nameless(b) || collator.compare(a.team, b.team),
    )
    .map(({ key, site, team, items: members }) => ({ key, title: titleOf(site, team), items: members }));
}
