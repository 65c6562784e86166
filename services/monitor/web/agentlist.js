// Which agents are shown, in which order: pure functions, no page.

/** All displayed states, in the order in which a supervisor scans them. */
export const STATES = ["ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown", "offline"];

export const SEVERITIES = { critical: 3, warning: 2, info: 1 };

/** {state: number of items}. */
export function countStates(items) {
  const counts = {};
  for (const { agent } of items) counts[agent.state] = (counts[agent.state] ?? 0) + 1;
  return counts;
}

/**
 * Whether `item` = {key, agent} fits `filter`: {text, states: Set (empty: all), queue: "site/queue", team: "site/team", tag,
 * site, flagged}; "" for all. `flagOf(key)` or null, `words(item)` what its text is looked up in, in lower case.
 */
export function fits(item, filter, { flagOf, words }) {
  const { agent, key } = item;
  const { site } = agent;
  if (filter.site && site !== filter.site) return false;
  if (filter.states.size && !filter.states.has(agent.state)) return false;
  if (filter.queue && !agent.queues.some((queue) => `${site}/${queue}` === filter.queue)) return false;
  if (filter.team && `${site}/${agent.team}` !== filter.team) return false;
  if (filter.tag && !agent.tags.includes(filter.tag)) return false;
  if (filter.flagged && !flagOf(key)) return false;
  if (!filter.text) return true;
  const text = words(item);
  return filter.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export const collator = new Intl.Collator(["zh-CN", "en"], { numeric: true, sensitivity: "base" });

/** Items {key, agent} by name. Comparing words is the slow part, so a board does this only when a name or a member changed. */
export function sortedByName(items) {
  const name = ({ agent }) => agent.name || agent.agent_id;
  return [...items].sort((a, b) => collator.compare(name(a), name(b)) || collator.compare(a.key, b.key));
}
