// Advice about queues: who waits, and who could take the calls.

import { CHANCE, LOST, harm, harmOfWait, urgency, WEIGHT } from "./harm.js";
import { both, bounded, joined, share, spoken } from "./phrases.js";
import { helpersOf } from "./helpers.js";
import { agentKey, inState, labelOf, nameOf, queueKey, severityOf } from "./survey.js";

const WORTH_A_WORD = 0.5; // of the wait's threshold: before, a busy queue is a busy queue
const LEAST_WAIT_S = 10; // whatever the threshold: one who waits less is answered before anybody has been asked
const FEW_CALLS = 10; // in 15 minutes; shares of fewer say nothing
const MANY_LOST = 0.1;
const FALLING = 0.02; // below the day's level
const STRAINED = 0.8; // occupancy from which on a queue has too few agents

/** A candidate per queue that waits, loses callers or falls behind: the worst of the three, because they have one cause. */
export function queueCandidates(floor) {
  const helpers = helpersOf(floor);
  return floor.queues.flatMap((queue) => {
    const found = waitOf(floor, queue, helpers) ?? lossOf(floor, queue, helpers) ?? levelOf(floor, queue, helpers);
    return found ? [found] : [];
  });
}

function waitOf(floor, queue, helpers) {
  const { ready = 0, ringing = 0 } = queue.agents;
  if (!(queue.waiting > 0)) return null;
  const limits = floor.thresholds.of(queue);
  const limit = limits.longest_wait_s.warn;
  const longest = floor.since(queue, queue.longest_since);
  const passed = longest > limit || queue.waiting > limits.waiting.warn;
  if (!passed && !(longest >= Math.max(LEAST_WAIT_S, limit * WORTH_A_WORD) && queue.waiting > ringing)) return null;
  const wait = {
    floor,
    queue,
    limits,
    longest,
    urgent: urgency(longest ?? 0, limit),
    severity: worse(severityOf(longest ?? 0, limits.longest_wait_s), severityOf(queue.waiting, limits.waiting)),
    text: both(longest === null ? "act.waiting.untold" : "act.waiting", {
      n: queue.waiting,
      queue: labelOf(queue),
      longest: spoken(longest ?? 0),
      limit: spoken(limit),
    }),
  };
  const key = queueKey(queue);
  const build = (taken) => {
    const left = (list) => list.filter((agent) => !taken.has(agentKey(agent)));
    const asked = ready < queue.waiting ? overTarget(wait, left(helpers.over.get(key) ?? [])) : null; // else those who are ready take the calls
    const idle = notOffered(wait, left(helpers.idle.get(key) ?? [])) ?? asked;
    if (idle || ready > 0 || !passed) return idle;
    return spareHands(wait, left(helpers.spare.get(queue.site) ?? [])) ?? withoutHelp(wait, left(helpers.wrapping.get(key) ?? []));
  };
  return build(new Set()) && { id: `wait:${key}`, causes: [{ key: `wait:${key}`, site: queue.site }], build };
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

/** Callers and agents wait side by side, while fewer phones ring than calls wait. */
function notOffered(wait, idle) {
  const { queue, floor, urgent, text } = wait;
  if (!idle.length || queue.waiting <= (queue.agents.ringing ?? 0)) return null;
  const few = idle.slice(0, queue.waiting);
  return draft(wait, "wait_ready", few, harmOfWait(queue.waiting, few.length, urgent, CHANCE.ready), {
    text: both("act.wait_ready", { waiting: text, n: idle.length, names: names(floor, few) }),
    advice: both("act.wait_ready.advice"),
  });
}

function overTarget(wait, over) {
  const { queue, floor, urgent, text } = wait;
  if (!over.length) return null;
  const said = (state) => {
    const list = over.filter((agent) => agent.state === state);
    const limit = spoken(floor.thresholds.agent(state)?.warn ?? 0);
    return list.length ? [both(`act.over_${state}`, { n: list.length, names: names(floor, list), limit })] : [];
  };
  const groups = [...said("wrap"), ...said("break")];
  const wraps = over.some(({ state }) => state === "wrap");
  const kind = wraps ? "wait_wrap" : "wait_break";
  const advice = groups.length > 1 ? "act.wait_both.advice" : `act.${kind}.advice${over.length === 1 ? ".one" : ""}`;
  return draft(wait, kind, over, harmOfWait(queue.waiting, over.length, urgent, wraps ? CHANCE.wrap : CHANCE.break), {
    text: both(`act.${kind}`, { waiting: text, who: joined(groups, "act.join_groups") }),
    advice: both(advice, { name: nameOf(over[0]) }),
  });
}

function spareHands(wait, spare) {
  const { queue, floor, urgent, text } = wait;
  if (!spare.length) return null;
  const few = spare.slice(0, queue.waiting); // no more than there are calls: the others may help elsewhere
  return draft(wait, "wait_elsewhere", few, harmOfWait(queue.waiting, few.length, urgent, CHANCE.elsewhere), {
    text: both("act.wait_elsewhere", { waiting: text, n: few.length, names: names(floor, few) }),
    advice: both(`act.wait_elsewhere.advice${few.length === 1 ? ".one" : ""}`, { queue: labelOf(queue), name: nameOf(few[0]) }),
  });
}

/** Nobody can be asked to come at once: those in wrap are free soonest, else it takes the supervisor. */
function withoutHelp(wait, wrapping) {
  const { queue, floor, urgent, text } = wait;
  const { talk = 0, hold = 0, consult = 0, ringing = 0, wrap = 0 } = queue.agents;
  const counts = { talk: talk + hold + consult + ringing, wrap, break: queue.agents.break ?? 0 };
  const busy = Object.entries(counts).filter(([, n]) => n > 0).map(([state, n]) => both(`act.busy.${state}`, { n }));
  const asked = wrapping.slice(0, queue.waiting);
  const how = asked.length ? ".wrap" : busy.length ? "" : ".empty";
  return draft(wait, "wait_nobody", asked, harmOfWait(queue.waiting, 0, urgent, CHANCE.nobody), {
    text: both("act.wait_nobody", { waiting: text, busy: busy.length ? joined(busy) : both("act.busy.none") }),
    advice: both(`act.wait_nobody.advice${how}`, { queue: labelOf(queue), names: names(floor, asked) }),
  });
}

const enough = ({ recent }) => recent !== null && recent !== undefined && recent.offered >= FEW_CALLS;

/** Callers gave up, and the queue is still short of agents: what is over needs nobody now. */
function lossOf(floor, queue, helpers) {
  if (!enough(queue) || !(queue.recent.abandonment_rate > MANY_LOST)) return null;
  const { abandonment_rate: rate, abandoned, offered, occupancy } = queue.recent;
  if ((queue.agents.ready ?? 0) > 0 && !(occupancy > STRAINED)) return null;
  const score = (offered / 15) * (rate - MANY_LOST / 2) * LOST * CHANCE.nobody;
  const text = both("act.abandoned", { queue: labelOf(queue), share: share(rate), n: abandoned, offered });
  return single(queue, "abandoned", rate > 2 * MANY_LOST ? "critical" : "warning", score, text, (taken) => {
    const others = helpers.spare.get(queue.site) ?? [];
    const agents = others.filter((agent) => !taken.has(agentKey(agent)) && !agent.queues.includes(queue.queue)).slice(0, 3);
    const advice = agents.length ? "act.abandoned.advice.spare" : "act.abandoned.advice";
    return { agents, advice: both(advice, { queue: labelOf(queue), names: names(floor, agents) }) };
  });
}

/** Far below target and getting worse; a little below is what the tile shows. */
function levelOf(floor, queue, helpers) {
  const { recent, service_level: day } = queue;
  const { warn: target, crit } = floor.thresholds.of(queue).service_level;
  if (!enough(queue) || recent.service_level === null || !(recent.service_level < crit)) return null;
  if (day.value !== null && !(recent.service_level < day.value - FALLING)) return null; // low, but on its way back
  const late = (recent.offered / 15) * (target - recent.service_level); // calls a minute that wait too long
  const text = both("act.service_level", {
    queue: labelOf(queue),
    value: share(recent.service_level),
    day: day.value === null ? "–" : share(day.value),
    target: share(target),
  });
  return single(queue, "service_level", "warning", harm(late, WEIGHT.waiting, 2, CHANCE.nobody), text, (taken) => {
    const agents = (helpers.pausing.get(queueKey(queue)) ?? []).filter((agent) => !taken.has(agentKey(agent)));
    return { agents, advice: both(`act.service_level.advice${agents.length ? ".names" : ""}`, { names: names(floor, agents) }) };
  });
}

/** A candidate about a queue; `whom(taken)` -> {agents, advice}. */
function single(queue, kind, severity, score, text, whom) {
  const id = `${kind}:${queueKey(queue)}`;
  const build = (taken) => {
    const { agents, advice } = whom(taken);
    return { kind, site: queue.site, queue: queue.queue, agents: agents.map(agentKey), severity, score, text, advice, note: null };
  };
  return { id, causes: [{ key: id, site: queue.site }], build };
}
