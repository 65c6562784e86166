// The agents that are shown, in groups and in order: pure functions, no page.

import { collator } from "../agentlist.js";
import { COLUMN, sortedBy } from "./columns.js";

/** Who needs somebody most first; among equals who has been in the state longest, then by name. `needOf(item)` is a number. */
function byNeed(items, needOf) {
  return items
    .map((item) => ({ item, need: needOf(item), since: item.agent.since }))
    .sort((a, b) => b.need - a.need || (a.since < b.since ? -1 : Number(a.since > b.since)))
    .map(({ item }) => item);
}

/**
 * Groups [{key, title, items}] in the order to show, of items that are sorted by name already; one nameless group unless
 * sorted by team. `sort`: team, name, attention or a column's id, "-" before it for downwards. `titleOf(site, team)` names a
 * group, `needOf(item)` see byNeed.
 */
export function arrange(items, sort, { board, needOf, titleOf }) {
  const column = COLUMN.get(sort.replace(/^-/, ""));
  if (sort === "team") return byTeam(items, titleOf);
  if (sort === "attention") return [{ key: "", title: "", items: byNeed(items, needOf) }];
  if (sort !== "name" && column) return [{ key: "", title: "", items: sortedBy(items, column, sort.startsWith("-"), board) }];
  return [{ key: "", title: "", items }];
}

function byTeam(items, titleOf) {
  const teams = new Map();
  for (const item of items) {
    const { site, team } = item.agent;
    const key = `${site}/${team}`;
    let group = teams.get(key);
    if (!group) teams.set(key, (group = { key, site, team, items: [] }));
    group.items.push(item);
  }
  const nameless = (group) => Number(group.team === "");
  return [...teams.values()]
    .sort(
      (a, b) =>
        collator.compare(a.site, b.site) || nameless(a) - nameless(b) || collator.compare(a.team, b.team),
    )
    .map(({ key, site, team, items: members }) => ({ key, title: titleOf(site, team), items: members }));
}
