// Advice about queues: who waits, and who could take the calls.

import { CHANCE, LOST, harm, harmOfWait, urgency, WEIGHT } from "./harm.js";
import { both, bounded, joined, share, spoken } from "./phrases.js";
import { agentKey, inState, isOver, labelOf, nameOf, queueKey, severityOf } from "./survey.js";

const WORTH_A_WORD = 0.5; // of the wait's threshold: before, a busy queue is a busy queue
const NOT_OFFERED_S = 10; // a switch needs a moment to find a phone
const FEW_CALLS = 10; // in 15 minutes; shares of fewer say nothing
const MANY_LOST = 0.1;
const FALLING = 0.02; // below the day's level
const BREAK_SOON_S = 120;
const HELPFUL = ["wrap", "break"];

/** A candidate per queue that waits, loses callers or falls behind: the worst of the three, because they have one cause. */
export function queueCandidates(floor) {
  const helpers = helpersOf(floor);
  return floor.queues.flatMap((queue) => {
    const found = waitOf(floor, queue, helpers) ?? lossOf(queue) ?? levelOf(floor, queue);
    return found ? [found] : [];
  });
}

/** Who could help which queue: {over: "site/queue" -> agents, ready: …, spare: site -> agents}, longest first. */
function helpersOf(floor) {
  const [over, ready, spare] = [new Map(), new Map(), new Map()];
  const put = (map, key, agent) => (map.has(key) ? map.get(key).push(agent) : map.set(key, [agent]));
  if (floor.waiting.size === 0) return { over, ready, spare };
  for (const agent of floor.agents) {
    const isReady = agent.state === "ready" && !agent.flapping_since;
    if (!isReady && !isOver(floor, agent, HELPFUL, "warn")) continue;
    const waiting = agent.queues.map((queue) => `${agent.site}/${queue}`).filter((key) => floor.waiting.has(key));
    for (const key of waiting) put(isReady ? ready : over, key, agent);
    if (isReady && !waiting.length) put(spare, agent.site, agent);
  }
  for (const map of [over, ready, spare]) for (const list of map.values()) list.sort((a, b) => inState(floor, b) - inState(floor, a));
  return { over, ready, spare };
}

function waitOf(floor, queue, helpers) {
  if (!(queue.waiting > 0)) return null;
  const key = queueKey(queue);
  const limits = floor.thresholds.of(queue);
  const longest = floor.since(queue, queue.longest_since);
  const wait = {
    floor,
    queue,
    limits,
    longest,
    urgent: urgency(longest ?? 0, limits.longest_wait_s.warn),
    severity: worse(severityOf(longest ?? 0, limits.longest_wait_s), severityOf(queue.waiting, limits.waiting)),
    text: both(longest === null ? "act.waiting.untold" : "act.waiting", {
      n: queue.waiting,
      queue: labelOf(queue),
      longest: spoken(longest ?? 0),
    }),
  };
  const lists = { over: helpers.over.get(key) ?? [], ready: helpers.ready.get(key) ?? [], spare: helpers.spare.get(queue.site) ?? [] };
  const choose = (taken) => {
    const left = (list) => list.filter((agent) => !taken.has(agentKey(agent)));
    return notOffered(wait, left(lists.ready)) ?? overTarget(wait, left(lists.over)) ?? spareHands(wait, left(lists.spare)) ?? withoutHelp(wait);
  };
  return choose(new Set()) && { id: `wait:${key}`, causes: [{ key: `wait:${key}`, site: queue.site }], build: choose };
}

const ORDER = ["info", "warning", "critical"];
const worse = (a, b) => (ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b);

const names = (floor, agents) =>
  bounded(agents, "act.more", (agent) => both("act.named", { name: nameOf(agent), time: spoken(inState(floor, agent)) }));

function draft({ floor, queue, limits, severity }, kind, agents, score, texts) {
  return { kind, site: queue.site, queue: queue.queue, agents: agents.map(agentKey), severity, score, note: noteOf(queue, limits), ...texts };
}

/** What the queue suffers besides: said with the wait, because it has the same cause. */
function noteOf({ recent }, { service_level: { warn: target } }) {
  if (!recent || recent.offered < FEW_CALLS) return null;
  const notes = [];
  if (recent.service_level !== null && recent.service_level < target)
    notes.push(both("act.note.level", { value: share(recent.service_level), target: share(target) }));
  if (recent.abandonment_rate > MANY_LOST) notes.push(both("act.note.abandoned", { share: share(recent.abandonment_rate) }));
  return notes.length ? joined(notes, "act.join_groups") : null;
}

function notOffered(wait, ready) {
  const { queue, floor, urgent, text } = wait;
  if (!ready.length || queue.waiting <= (queue.agents.ringing ?? 0) || !(wait.longest > NOT_OFFERED_S)) return null;
  const few = ready.slice(0, queue.waiting);
  return draft(wait, "wait_ready", few, harmOfWait(queue.waiting, few.length, urgent, CHANCE.ready), {
    text: both("act.wait_ready", { waiting: text, n: ready.length, names: names(floor, few) }),
    advice: both("act.wait_ready.advice"),
  });
}

function overTarget(wait, over) {
  const { queue, floor, urgent, text } = wait;
  if (!over.length) return null;
  const groups = ["wrap", "break"].map((state) => over.filter((agent) => agent.state === state));
  const [wrap, pause] = groups;
  const kind = wrap.length ? "wait_wrap" : "wait_break";
  const said = (list, key) => list.length && both(key, { n: list.length, names: names(floor, list) });
  const who = joined([said(wrap, "act.over_wrap"), said(pause, "act.over_break")].filter(Boolean), "act.join_groups");
  const advice = wrap.length && pause.length ? "act.wait_both.advice" : `act.${kind}.advice${over.length === 1 ? ".one" : ""}`;
  const chance = wrap.length ? CHANCE.wrap : CHANCE.break;
  return draft(wait, kind, over, harmOfWait(queue.waiting, over.length, urgent, chance), {
    text: both(`act.${kind}`, { waiting: text, who }),
    advice: both(advice, { name: nameOf(over[0]) }),
  });
}

function isWorthAWord({ longest, limits, queue }) {
  return (longest ?? 0) > limits.longest_wait_s.warn * WORTH_A_WORD || queue.waiting > limits.waiting.warn;
}

function spareHands(wait, spare) {
  const { queue, floor, urgent, text } = wait;
  if (!spare.length || (queue.agents.ready ?? 0) > 0 || !isWorthAWord(wait)) return null;
  const few = spare.slice(0, queue.waiting); // no more than there are calls: the others may help elsewhere
  return draft(wait, "wait_elsewhere", few, harmOfWait(queue.waiting, few.length, urgent, CHANCE.elsewhere), {
    text: both("act.wait_elsewhere", { waiting: text, n: few.length, names: names(floor, few) }),
    advice: both(`act.wait_elsewhere.advice${few.length === 1 ? ".one" : ""}`, { queue: labelOf(queue), name: nameOf(few[0]) }),
  });
}

function withoutHelp(wait) {
  const { queue, urgent, text } = wait;
  if (!isWorthAWord(wait)) return null;
  const { ready = 0, talk = 0, hold = 0, consult = 0, ringing = 0, wrap = 0 } = queue.agents;
  if (ready > 0) {
    return draft(wait, "wait_busy", [], harmOfWait(queue.waiting, queue.waiting, urgent, CHANCE.watch), {
      text: both("act.wait_busy", { waiting: text, n: ready }),
      advice: both("act.wait_busy.advice"),
    });
  }
  const counts = { talk: talk + hold + consult + ringing, wrap, break: queue.agents.break ?? 0 };
  const busy = Object.entries(counts).filter(([, n]) => n > 0).map(([state, n]) => both(`act.busy.${state}`, { n }));
  return draft(wait, "wait_nobody", [], harmOfWait(queue.waiting, 0, urgent, CHANCE.nobody), {
    text: both("act.wait_nobody", { waiting: text, busy: busy.length ? joined(busy) : both("act.busy.none") }),
    advice: both(`act.wait_nobody.advice${busy.length ? "" : ".empty"}`, { queue: labelOf(queue) }),
  });
}

const enough = ({ recent }) => recent !== null && recent !== undefined && recent.offered >= FEW_CALLS;

function lossOf(queue) {
  if (!enough(queue) || !(queue.recent.abandonment_rate > MANY_LOST)) return null;
  const { abandonment_rate: rate, abandoned, offered } = queue.recent;
  return single(queue, "abandoned", {
    severity: rate > 2 * MANY_LOST ? "critical" : "warning",
    score: (offered / 15) * (rate - MANY_LOST / 2) * LOST * CHANCE.nobody,
    text: both("act.abandoned", { queue: labelOf(queue), share: share(rate), n: abandoned, offered }),
    advice: both("act.abandoned.advice", { queue: labelOf(queue) }),
  });
}

function levelOf(floor, queue) {
  const { recent, service_level: day } = queue;
  const { warn: target, crit } = floor.thresholds.of(queue).service_level;
  if (!enough(queue) || recent.service_level === null || !(recent.service_level < target)) return null;
  if (day.value !== null && !(recent.service_level < day.value - FALLING)) return null; // low, but on its way back
  const late = (recent.offered / 15) * (target - recent.service_level); // calls a minute that wait too long
  return single(queue, "service_level", {
    severity: recent.service_level < crit ? "warning" : "info",
    score: harm(late, WEIGHT.waiting, 2, CHANCE.nobody),
    text: both("act.service_level", {
      queue: labelOf(queue),
      value: share(recent.service_level),
      day: day.value === null ? "–" : share(day.value),
      target: share(target),
    }),
    advice: both("act.service_level.advice"),
  });
}

function single(queue, kind, texts) {
  const id = `${kind}:${queueKey(queue)}`;
  const item = { kind, site: queue.site, queue: queue.queue, agents: [], note: null, ...texts };
  return { id, causes: [{ key: id, site: queue.site }], build: () => item };
}

/** Breaks that end soon where help is short, one candidate for each site: see that they do end. */
export function breaksEnding(floor) {
  const limit = floor.thresholds.agent("break")?.warn;
  if (!Number.isFinite(limit)) return [];
  const short = new Set(floor.queues.filter((queue) => queue.waiting > 0 && !queue.agents.ready).map(queueKey));
  const bySite = new Map();
  for (const agent of short.size ? floor.agents : []) {
    const left = agent.state === "break" ? limit - inState(floor, agent) : NaN;
    if (!(left >= 0 && left <= BREAK_SOON_S) || !agent.queues.some((queue) => short.has(`${agent.site}/${queue}`))) continue;
    bySite.set(agent.site, [...(bySite.get(agent.site) ?? []), { agent, left }]);
  }
  return [...bySite].map(([site, ending]) => ({
    id: `break_ending:${site}`,
    causes: ending.map(({ agent }) => ({ key: `break_ending:${agentKey(agent)}`, site })),
    build: (taken, done) => endingItem(site, ending.filter(({ agent }) => !taken.has(agentKey(agent)) && !done.has(`break_ending:${agentKey(agent)}`))),
  }));
}

function endingItem(site, ending) {
  if (!ending.length) return null;
  ending.sort((a, b) => a.left - b.left);
  const parts = ending.map(({ agent, left }) => both("act.break_ending.name", { name: nameOf(agent), time: spoken(left) }));
  return {
    kind: "break_ending",
    site,
    agents: ending.map(({ agent }) => agentKey(agent)),
    severity: "info",
    score: harm(ending.length, WEIGHT.idle, 1, CHANCE.break),
    text: both("act.break_ending", { n: ending.length, names: bounded(parts) }),
    advice: both(`act.break_ending.advice${ending.length === 1 ? ".one" : ""}`, { name: nameOf(ending[0].agent) }),
    note: null,
  };
}
