// The filter of the desk: the address holds it, the server is asked by it.

import { place } from "/static/shared/place.js";
import { dayAt, dayRange, NO_FILTER } from "./model.js";

export const SORTS = ["worst", "newest"];
const NAMES = ["agent", "queue", "slow", "outcome", "case", "day", "q"];
const TODAY = "today";

/** The filter as the address says: `site` is the board's choice. `day` is "", "today" or YYYY-MM-DD. */
export function readFilter(site) {
  const filter = { ...NO_FILTER, site };
  for (const name of NAMES) filter[name] = place.get(name);
  return filter;
}

export function readSort() {
  const sort = place.get("sort");
  return SORTS.includes(sort) ? sort : "worst";
}

export const isFiltered = (filter) => NAMES.some((name) => filter[name]);

export function clearFilter() {
  place.update(Object.fromEntries(NAMES.map((name) => [name, ""])));
}

/** [from, to) in ms of the filter's day where the site is; null for all days. */
export function rangeOf({ day }, zone, now) {
  if (!day) return null;
  if (day !== TODAY) return dayRange(day, zone);
  return Number.isNaN(now) ? null : dayRange(dayAt(now, zone), zone);
}

/** What to ask the server. `case` of the address is the API's word. */
export function queryOf(filter, sort, range) {
  const { site, agent, queue, slow, outcome, q } = filter;
  const asked = { site, agent, queue, slow, outcome, q, sort, case: filter.case };
  if (range) Object.assign(asked, { from: new Date(range[0]).toISOString(), to: new Date(range[1]).toISOString() });
  return asked;
}
