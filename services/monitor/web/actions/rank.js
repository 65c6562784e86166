// What needs somebody now, by what it costs customers when nobody acts. Pure: the same floor, times and memory give the same
// items. The formula and its reasons: docs/actions.md.

import { transferCandidates } from "./handovers.js";
import { agentCandidates, flagCandidates } from "./people.js";
import { both, bounded, inOneFormat } from "./phrases.js";
import { settle } from "./steady.js";
import { survey } from "./survey.js";
import { queueCandidates } from "./waits.js";

export const MOST = 6;
const ALWAYS = 4; // the fifth and sixth must be more than a remark
export const DONE_MS = 5 * 60_000;
const ENDED_MS = 3000; // a cause that is away for less has not ended
const BLIND = 1e6; // first of all: what is old must not advise

/**
 * `floor, thresholds, now, staleOf, only`: see survey.js; `at`: ms on any steady clock; `memory`: what the last call gave;
 * `done`: Map of cause -> {at, site, floorAt} that somebody dealt with, on the same clock and on the site's.
 * Gives {items: up to six {id, kind, site, queue, agents, transfer, call, severity, score, text: {en, zh}, advice: {en, zh},
 * note, causes, ageMs, over}, memory, done: those that still hold back their causes, calm: null or {ready, longest} when there
 * is nothing, "no_data" when nothing can be said}.
 */
export function rank({ floor, thresholds, now, staleOf, only = "", at, memory = null, done = new Map() }) {
  const seen = survey({ floor, thresholds, now, staleOf, only });
  const candidates = [
    ...staleCandidates(seen),
    ...queueCandidates(seen),
    ...transferCandidates(seen),
    ...agentCandidates(seen),
    ...flagCandidates(seen),
  ];
  const absent = new Map();
  const held = stillDone(done, candidates, seen, at, memory?.absent, absent);
  const drafts = choose(candidates, held, memory?.items);
  const stillTrue = ({ site }) => seen.reasons.get(site) === "";
  const entries = settle(drafts, memory?.items ?? null, at, (item) => stillTrue(item) && !item.causes.every(({ key }) => held.has(key)));
  const items = pick([...entries.values()].filter((entry) => entry.shown), at);
  return { items, memory: { items: entries, absent }, done: held, calm: items.length ? null : calmOf(seen) };
}

/** One item for all sites that are not of now, whatever else there is. */
function staleCandidates({ sites, reasons }) {
  const old = sites.filter(({ site }) => !["", "never"].includes(reasons.get(site)));
  if (!old.length) return [];
  const why = reasons.get(old[0].site);
  const same = old.filter(({ site }) => reasons.get(site) === why);
  const causes = old.map(({ site }) => ({ key: `stale:${site}`, site }));
  const build = (_, done) => (causes.every(({ key }) => done.has(key)) ? null : staleItem(same.length === old.length ? same : old, why));
  return [{ id: "stale", causes, build }];
}

function staleItem(sites, why) {
  const names = bounded(sites.map(({ label, site }) => ({ en: label || site, zh: label || site })), "act.more_sites");
  return {
    kind: "stale",
    site: sites[0].site,
    agents: [],
    severity: "critical",
    score: BLIND,
    text: both("act.stale", { sites: names, why: both(`act.stale.${why}`) }),
    advice: both(why === "lost" ? "act.stale.advice.lost" : "act.stale.advice"),
    note: null,
    instant: true,
  };
}

/** The marks of `done` that still count: not older than five minutes of the floor or of ours, and their cause has not ended since. */
function stillDone(done, candidates, { reasons, now }, at, absentBefore, absent) {
  const present = new Set(candidates.flatMap(({ causes }) => causes.map(({ key }) => key)));
  const held = new Map();
  for (const [key, mark] of done) {
    if (at - mark.at >= DONE_MS || now(mark.site) - mark.floorAt >= DONE_MS) continue;
    if (!present.has(key) && reasons.get(mark.site) === "") {
      const since = absentBefore?.get(key) ?? at;
      if (at - since >= ENDED_MS) continue;
      absent.set(key, since);
    }
    held.set(key, mark);
  }
  return held;
}

/** Each agent goes to the worst item that is about them, a hanging transfer first of all; the others are told without, or not at all. */
function choose(candidates, done, before) {
  const nobody = new Set();
  const first = candidates
    .map((candidate) => ({ candidate, draft: candidate.build(nobody, new Map()) }))
    .filter(({ draft }) => draft !== null);
  const weight = ({ candidate, draft }) => before?.get(candidate.id)?.score ?? draft.score;
  const ahead = ({ draft }) => Number(Boolean(draft.instant));
  first.sort((a, b) => ahead(b) - ahead(a) || weight(b) - weight(a) || (a.candidate.id < b.candidate.id ? -1 : 1));
  const taken = new Set();
  const drafts = [];
  for (const { candidate } of first) {
    const { id, causes } = candidate;
    const draft = candidate.build(taken, done);
    if (draft === null) continue;
    for (const agent of draft.agents) taken.add(agent);
    if (causes.every(({ key }) => done.has(key))) continue; // dealt with, and its agents with it
    const [text, advice, note] = inOneFormat(draft.text, draft.advice, draft.note);
    const item = { queue: "", transfer: "", call: "", instant: false, ...draft, text, advice, note, id };
    drafts.push({ ...item, causes: causesOf(item, causes) });
  }
  return drafts;
}

/** Of a group's causes those of the agents that are in it. */
function causesOf({ agents }, causes) {
  const about = new Set(agents);
  const own = causes.filter(({ key }) => about.has(key.slice(key.indexOf(":") + 1)));
  return own.length ? own : causes;
}

function pick(entries, at) {
  const weigh = (a, b) => b.score - a.score || (a.item.id < b.item.id ? -1 : 1);
  const now = entries.filter((entry) => !entry.over).sort(weigh);
  const worth = now.filter((entry, index) => index < ALWAYS || entry.item.severity !== "info").slice(0, MOST);
  const over = entries.filter((entry) => entry.over).sort(weigh).slice(0, MOST - worth.length);
  const picked = [...worth, ...over].sort(weigh);
  for (const entry of picked) entry.picked = true; // only what was seen may be told as over
  return picked.map(({ item, score, first, over: ended }) => ({ ...item, score, ageMs: at - first, over: Boolean(ended) }));
}

/** "no_data" when nothing of now is known, else who is ready and who waits. */
function calmOf({ sites, reasons, queues, agents, since }) {
  if (!sites.some(({ site }) => reasons.get(site) === "")) return "no_data";
  const waits = queues.filter((queue) => queue.waiting > 0).map((queue) => since(queue, queue.longest_since));
  const ready = agents.filter((agent) => agent.state === "ready").length;
  return { ready, longest: waits.length ? Math.max(0, ...waits.map((wait) => wait ?? 0)) : null };
}
