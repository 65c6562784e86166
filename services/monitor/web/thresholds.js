// When a figure is worth a look, and when it is bad: the user's own limits, or what the queue's target implies.
//
// Kept under the preference `thresholds`: {queues: {"site/queue" or "*": {figure: limits}}, agents: {state: limits}}.
// Limits are {warn, crit}; a figure for which less is worse (a service level) has warn > crit.

import { onPrefs, prefs } from "/static/shared/prefs.js";

export const QUEUE_FIGURES = ["longest_wait_s", "waiting", "service_level"];
export const AGENT_STATES = ["ringing", "talk", "hold", "consult", "wrap", "break"];

const ANY_QUEUE = "*";
const MUCH_TOO_LONG = 3; // times the service level's threshold
const FAR_BELOW = 0.15; // of the target
const WAITING = { warn: 5, crit: 10 };

// Seconds in a state. Warnings stand where the shipped rule book raises its flags, or a little before.
const AGENTS = {
  ringing: { warn: 10, crit: 20 },
  talk: { warn: 600, crit: 900 },
  hold: { warn: 45, crit: 60 },
  consult: { warn: 45, crit: 60 },
  wrap: { warn: 45, crit: 90 },
  break: { warn: 900, crit: 2700 },
};

function defaultsOf({ service_level: { within_s: within, target } }) {
  return {
    longest_wait_s: { warn: within, crit: within * MUCH_TOO_LONG },
    waiting: WAITING,
    service_level: { warn: target, crit: Math.max(0, target - FAR_BELOW) },
  };
}

const own = () => prefs.get("thresholds", {});

export const thresholds = {
  /** {longest_wait_s, waiting, service_level: {warn, crit}} for a QueueView. */
  of(queue) {
    const { queues = {} } = own();
    return { ...defaultsOf(queue), ...queues[ANY_QUEUE], ...queues[`${queue.site}/${queue.queue}`] };
  },

  /** {warn, crit} in seconds for a displayed state; null where time in it means nothing. */
  agent(state) {
    return own().agents?.[state] ?? AGENTS[state] ?? null;
  },

  /** What holds for whoever set nothing. */
  defaults: { of: defaultsOf, agent: (state) => AGENTS[state] ?? null },

  /** Set limits for a queue's figure; `queue`: "site/queue", or "*" for all; null: the default again. */
  setQueue(queue, figure, limits) {
    const all = structuredClone(own());
    all.queues = put(all.queues, queue, put(all.queues?.[queue], figure, limits));
    prefs.set("thresholds", all);
  },

  setAgent(state, limits) {
    const all = structuredClone(own());
    all.agents = put(all.agents, state, limits);
    prefs.set("thresholds", all);
  },

  reset() {
    prefs.set("thresholds", null);
  },

  /** Call `listener()` after each change; returns a function that stops it. */
  on(listener) {
    return onPrefs((key) => key === "thresholds" && listener());
  },
};

/** `map` with `key` set to `value`, or without it; undefined when nothing is left. */
function put(map, key, value) {
  const next = { ...map };
  if (value === null || value === undefined) delete next[key];
  else next[key] = value;
  return Object.keys(next).length ? next : undefined;
}

/** How many times as bad as `limit` a value is, where 1 is the limit itself and more is worse. */
function share(value, limit, lessIsWorse) {
  if (lessIsWorse) return value > 0 ? limit / value : Infinity;
  return limit > 0 ? value / limit : Infinity;
}

/** "" within the limits, "warning" or "critical" beyond; a value that does not exist is within. */
export function levelOf(value, limits) {
  if (value === null || value === undefined || Number.isNaN(value) || !limits) return "";
  const { warn, crit } = limits;
  const beyond = warn > crit ? (limit) => value < limit : (limit) => value > limit;
  if (beyond(crit)) return "critical";
  return beyond(warn) ? "warning" : "";
}

/**
 * How far `value` is from being worth a look: {level, by, share}. `by` in the value's unit: how much is left to the next
 * limit (negative: how far beyond the last one); `share` of the way to `warn`, beyond 1 when passed. Null without a value.
 */
export function distance(value, limits) {
  if (value === null || value === undefined || Number.isNaN(value) || !limits) return null;
  const { warn, crit } = limits;
  const lessIsWorse = warn > crit;
  const left = (limit) => (lessIsWorse ? value - limit : limit - value);
  const level = levelOf(value, limits);
  const next = { "": warn, warning: crit, critical: crit }[level];
  return { level, by: left(next), share: share(value, warn, lessIsWorse) };
}
