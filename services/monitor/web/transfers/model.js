// Transfers as the desk shows them: running ones of the feed and finished ones of the server as one list, without doubles.
// Pure functions, no page.

import { isRunning, isSlow, tookS } from "../transferfacts.js";

export const OUTCOMES = ["completed", "failed", "cancelled", "abandoned"];
export const NO_FILTER = { site: "", agent: "", queue: "", slow: "", outcome: "", case: "", day: "", q: "" };

export const keyOf = ({ site, transfer_id: id }) => `${site}/${id}`;

const ms = (iso) => (iso ? Date.parse(iso) : NaN);

/** "yes", "no" or "cannot_tell": over the limit? Of one that runs: so far, and "yes" only when the clock's precision allows no doubt. */
export function verdictOf(transfer, now) {
  if (!isRunning(transfer)) return transfer.slow;
  return isSlow(transfer, tookS(transfer, now)) ? "yes" : "no";
}

/** How bad, as the server sorts (desk/judging.py): 2 over the limit or never reached anybody, 1 cannot tell, 0 fine. */
function tierOf(transfer) {
  if (transfer.slow === "yes" || ["failed", "abandoned"].includes(transfer.outcome)) return 2;
  return transfer.slow === "cannot_tell" ? 1 : 0;
}

const descending = (a, b) => (a > b ? -1 : Number(a < b));

/** Finished ones in the order of the server; equal ones by key, so that nothing swaps places. */
export function sorted(transfers, sort) {
  const by = transfers.map((transfer) => ({ transfer, key: keyOf(transfer), at: ms(transfer.requested), tier: tierOf(transfer), took: tookS(transfer) ?? 0 }));
  if (sort === "worst") by.sort((a, b) => b.tier - a.tier || b.took - a.took || b.at - a.at || descending(a.key, b.key));
  else by.sort((a, b) => b.at - a.at || descending(a.key, b.key));
  return by.map(({ transfer }) => transfer);
}

/** Running ones: over the limit first, then by how long they run. */
export function sortedRunning(transfers, nowOf) {
  const by = transfers.map((transfer) => ({ transfer, key: keyOf(transfer), took: tookS(transfer, nowOf(transfer.site)) ?? 0 }));
  return by.sort((a, b) => b.took - a.took || descending(b.key, a.key)).map(({ transfer }) => transfer);
}

/**
 * Finished ones of both sources. `fetched`: Map key -> the server's, `fresh`: the feed's that ended lately. What the server
 * has counts, with its case; what it does not have yet is told by the feed.
 */
export function merged(fetched, fresh) {
  const all = new Map(fetched);
  for (const transfer of fresh) if (!all.has(keyOf(transfer))) all.set(keyOf(transfer), { ...transfer, case: null, fresh: true });
  return [...all.values()];
}

/** Whether a transfer of the feed fits `filter`, as the server would judge; `words(transfer)`: what a search looks in, `[from, to)` of the day in ms. */
export function fits(transfer, filter, { words, range = null, now = NaN }) {
  const { site, agent, queue, slow, outcome, q } = filter;
  if (site && transfer.site !== site) return false;
  if (agent && ![transfer.from_agent, transfer.to_agent].includes(agent)) return false;
  if (queue && transfer.to_queue !== queue) return false;
  if (slow && verdictOf(transfer, now) !== slow) return false;
  if (outcome && transfer.outcome !== outcome) return false;
  if (["open", "closed", "some"].includes(filter.case) && !transfer.case) return false;
  if (range && !(ms(transfer.requested) >= range[0] && ms(transfer.requested) < range[1])) return false;
  const text = q ? words(transfer).filter(Boolean).join(" ").toLowerCase() : "";
  return q.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** Milliseconds since 1970 at which `day` (YYYY-MM-DD) begins in `zone`. */
export function midnight(day, zone) {
  const utc = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(utc)) return NaN;
  const first = utc - offsetAt(utc, zone);
  return utc - offsetAt(first, zone); // the clocks may change between the two
}

/** [from, to) of `day` in `zone`, in ms; null for what is no day. */
export function dayRange(day, zone) {
  const from = midnight(day, zone);
  if (Number.isNaN(from)) return null;
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  return [from, midnight(next, zone)];
}

/** The day in `zone` at `at` (ms), YYYY-MM-DD. */
export function dayAt(at, zone) {
  return new Date(at + offsetAt(at, zone)).toISOString().slice(0, 10);
}

function offsetAt(at, zone) {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  }).formatToParts(at);
  const part = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  const wall = Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
  return wall - Math.floor(at / 1000) * 1000;
}
