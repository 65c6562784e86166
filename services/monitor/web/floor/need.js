// Who needs attention: a pure order, and one that keeps still. Time alone moves nobody except over a limit: how far somebody
// is beyond one counts in steps that take longer and longer (1, 2, 4, 8 times the limit).

import { SEVERITIES } from "../agentlist.js";
import { distance } from "../thresholds.js";

const LEVELS = { critical: 2, warning: 1, "": 0 };
const FARTHEST = 7;

// What a supervisor would look at next. Offline people need nothing.
const STATES = { unknown: 8, hold: 7, consult: 6, ringing: 5, wrap: 4, break: 3, talk: 2, ready: 1, offline: 0 };

/** How far beyond a limit: 0 within, then one more with each doubling. */
function stepOf(share) {
  if (!(share > 1)) return 0;
  return Math.min(FARTHEST, 1 + Math.floor(Math.log2(share)));
}

/**
 * A number that is larger the more `agent` needs somebody: first the severity of the flag, then which limit is passed, how
 * far, then the state. `inState` seconds in the state, null when not known; `limits` {warn, crit} or null.
 */
export function needOf(agent, severity, inState, limits) {
  const beyond = distance(inState, limits);
  const level = LEVELS[beyond?.level ?? ""];
  const step = level ? stepOf(beyond.share) : 0;
  return (((SEVERITIES[severity] ?? 0) * 3 + level) * (FARTHEST + 1) + step) * 10 + (STATES[agent.state] ?? 9);
}
