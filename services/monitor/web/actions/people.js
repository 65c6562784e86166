// Advice about agents: one candidate for each kind and site, so that twenty on hold are one line and not twenty.

import { CHANCE, harm, urgency, WEIGHT } from "./harm.js";
import { both, bounded, spoken } from "./phrases.js";
import { agentKey, inState, isOver, labelOf, nameOf, severityOf } from "./survey.js";

const MISSED = 2; // in a row: once is a coincidence
const UNSTEADY_S = 30; // a phone that is being plugged in again is steady before
const WALK_S = 60; // beyond a limit that costs no customer: who is only finishing is done before anybody has walked over

// Rules whose cause is looked at here or in the other modules: their flags would say the same again.
const COVERED = new Set(
  `slow_transfer failed_handover long_talk long_hold ring_no_answer long_wrap long_lunch long_tea long_toilet long_training long_break
   flapping_agent long_wait queue_longest_wait nobody_ready ready_not_offered low_service_level high_abandonment
   high_occupancy link_silent`.split(/\s+/),
);

// Each kind: whom it is about, how bad one of them is, how it is told.
const KINDS = [
  {
    kind: "agent_hold",
    is: (floor, agent) => isOver(floor, agent, ["hold", "consult"], "warn"),
    score: (floor, agent) => harm(1, WEIGHT.held, urgent(floor, agent), CHANCE.hold),
    severity: inStateSeverity,
  },
  {
    kind: "agent_ringing",
    is: (floor, agent) => agent.call?.direction !== "outbound" && isOver(floor, agent, ["ringing"], "crit"), // before, the switch looks for another
    level: "crit",
    score: (floor, agent) => harm(1, WEIGHT.ringing, urgent(floor, agent), CHANCE.ringing),
    severity: inStateSeverity,
  },
  {
    kind: "agent_missed",
    is: (_, agent) => (agent.today?.missed_in_row ?? 0) >= MISSED && !["offline", "break", "unknown"].includes(agent.state),
    // each call that rings out costs its caller some 20 s, a third of a minute, and the next one will ring here too
    score: (floor, agent) => harm(1 / 3, WEIGHT.ringing, urgency(agent.today.missed_in_row, MISSED), serves(floor, agent) ? CHANCE.ringing : CHANCE.phone),
    severity: () => "warning",
    named: (_, agent) => both("act.agent_missed.name", { name: nameOf(agent), missed: agent.today.missed_in_row }),
  },
  {
    kind: "agent_flapping",
    is: (floor, agent) => floor.since(agent, agent.flapping_since) > UNSTEADY_S && agent.state !== "offline",
    score: (floor, agent) => harm(1 / 3, WEIGHT.ringing, serves(floor, agent) ? 2 : 1, CHANCE.phone),
    severity: () => "warning",
    named: (floor, agent) => both("act.named", { name: nameOf(agent), time: spoken(floor.since(agent, agent.flapping_since)) }),
  },
  {
    kind: "agent_talk",
    is: (floor, agent) => isOver(floor, agent, ["talk"], "crit"),
    level: "crit",
    score: (floor, agent) => harm(1, WEIGHT.served, urgent(floor, agent), CHANCE.phone),
    severity: () => "info",
  },
  {
    kind: "agent_wrap",
    is: (floor, agent) => isOver(floor, agent, ["wrap"], "crit", WALK_S),
    level: "crit",
    score: (floor, agent) => harm(1, WEIGHT.idle, urgent(floor, agent), CHANCE.wrap),
    severity: () => "info",
  },
  {
    kind: "agent_break",
    is: (floor, agent) => isOver(floor, agent, ["break"], "crit", WALK_S),
    level: "crit",
    score: (floor, agent) => harm(1, WEIGHT.idle, urgent(floor, agent), CHANCE.break),
    severity: () => "info",
  },
];

const urgent = (floor, agent) => urgency(inState(floor, agent), floor.thresholds.agent(agent.state)?.warn ?? 0);
const serves = (floor, agent) => agent.queues.some((queue) => floor.waiting.has(`${agent.site}/${queue}`));

function inStateSeverity(floor, agent) {
  return severityOf(inState(floor, agent), floor.thresholds.agent(agent.state), "warning");
}

export function agentCandidates(floor) {
  const found = new Map(); // id -> {kind, site, agents}
  for (const agent of floor.agents) {
    for (const kind of KINDS) {
      if (!kind.is(floor, agent)) continue;
      const id = `${kind.kind}:${agent.site}`;
      if (!found.has(id)) found.set(id, { id, kind, site: agent.site, agents: [] });
      found.get(id).agents.push({ agent, score: kind.score(floor, agent) });
    }
  }
  return [...found.values()].map((group) => ({
    id: group.id,
    causes: group.agents.map(({ agent }) => ({ key: causeOf(group, agent), site: group.site })),
    build: (taken, done) => item(floor, group, group.agents.filter(({ agent }) => !taken.has(agentKey(agent)) && !done.has(causeOf(group, agent)))),
  }));
}

const causeOf = ({ kind }, agent) => `${kind.kind}:${agentKey(agent)}`;

/** "over 45 s" where the agents have one limit. */
function beyond(floor, { level = "warn" }, agents) {
  const limits = new Set(agents.map((agent) => floor.thresholds.agent(agent.state)?.[level]));
  const [limit] = limits;
  return limits.size === 1 && Number.isFinite(limit) ? both("act.beyond", { limit: spoken(limit) }) : both("act.too_long");
}

/** Who it is, and where they sit. */
const person = (agent) => (agent.team ? both("act.person", { name: nameOf(agent), team: agent.team }) : nameOf(agent));

function item(floor, { kind, site }, left) {
  if (!left.length) return null;
  left.sort((a, b) => b.score - a.score || (agentKey(a.agent) < agentKey(b.agent) ? -1 : 1));
  const agents = left.map(({ agent }) => agent);
  const named = kind.named ?? ((_, agent) => both("act.named", { name: nameOf(agent), time: spoken(inState(floor, agent)) }));
  const severities = agents.map((agent) => kind.severity(floor, agent));
  return {
    kind: kind.kind,
    site,
    agents: agents.map(agentKey),
    severity: ["critical", "warning"].find((one) => severities.includes(one)) ?? "info",
    score: left.reduce((sum, { score }) => sum + score, 0),
    text: both(`act.${kind.kind}`, {
      n: agents.length,
      names: bounded(agents, "act.more", (agent) => named(floor, agent)),
      beyond: beyond(floor, kind, agents),
    }),
    advice: both(`act.${kind.kind}.advice${agents.length === 1 ? ".one" : ""}`, { name: person(agents[0]) }),
    note: null,
  };
}

const FLAG_SCORES = { critical: 150, warning: 40 };

/**
 * Flags of rules that nothing else here looks at: a floor's own rules. Those of an agent or a queue, because there is where to
 * go; the others stand among the flags beside, and nothing could be added to them.
 */
export function flagCandidates(floor) {
  return floor.flags.flatMap((flag) => {
    if (!(flag.severity in FLAG_SCORES) || COVERED.has(flag.rule)) return [];
    const agent = floor.agent(flag.site, flag.subject === "agent" ? flag.subject_id : flag.labels.agent);
    const queue = floor.queue(flag.site, flag.subject === "queue" ? flag.subject_id : flag.labels.queue);
    if (!(agent && agent.state !== "offline") && !queue) return [];
    const id = `flag:${flag.site}/${flag.flag_id}`;
    const build = (taken) => (agent && taken.has(agentKey(agent)) ? null : flagItem(floor, flag, agent, queue));
    return [{ id, causes: [{ key: id, site: flag.site }], build }];
  });
}

function flagItem(floor, flag, agent, queue) {
  const whereTo = agent
    ? both("act.flagged.advice", { name: person(agent), state: both(`act.state.${agent.state}`), time: spoken(inState(floor, agent)) })
    : both("act.flagged.advice.queue", { queue: labelOf(queue), waiting: queue.waiting, ready: queue.agents.ready ?? 0 });
  return {
    kind: "flagged",
    site: flag.site,
    queue: agent ? "" : queue.queue,
    agents: agent ? [agentKey(agent)] : [],
    call: flag.subject === "call" ? flag.subject_id : "",
    severity: flag.severity,
    score: FLAG_SCORES[flag.severity],
    text: { en: flag.summary_en, zh: flag.summary_zh },
    advice: whereTo,
    note: null,
  };
}
