// What an agent is in the middle of, beyond the state: the transfer that runs, the customer on hold, the wrap that ends.

import { duration, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { reasonText } from "/static/shared/reasons.js";
import { levelOf, thresholds } from "../thresholds.js";
import { isSlow, tookS } from "../transferfacts.js";
import { fromText, phaseText, targetText } from "../transferwords.js";

/** The running transfer of an agent, in words without its time: "→ Li Na · ringing", or "← Li Na · ringing" for who is asked. */
export function transferText(agent, transfer, board) {
  const begun = transfer.from_agent === agent.agent_id;
  const other = begun ? targetText(transfer, board) : fromText(transfer, board);
  return `${begun ? "→" : "←"} ${other} · ${phaseText(transfer)}`;
}

/** The same for somebody who cannot see the arrow. */
export function transferLabel(agent, transfer, board) {
  const begun = transfer.from_agent === agent.agent_id;
  const name = begun ? targetText(transfer, board) : fromText(transfer, board);
  return t(begun ? "activity.transfer_to" : "activity.transfer_from", { name, phase: phaseText(transfer) });
}

/** {text, slow} of a running transfer at `local`: "4.2 s". */
export function transferTime(transfer, clocks, local) {
  const took = tookS(transfer, clocks.now(transfer.site, local));
  return { text: seconds(took), slow: isSlow(transfer, took) };
}

/** Since when the customer of this agent's call is on hold; null when nobody is. */
export function heldSince(agent, board) {
  if (!agent.call) return null;
  const call = board.store.calls.get(`${agent.site}/${agent.call.call_id}`);
  const held = call?.legs.find((leg) => leg.agent_id === agent.agent_id && leg.state === "held");
  if (held) return held.since;
  return agent.state === "hold" ? agent.since : null;
}

/** Seconds that are left of a wrap timer; null without one. */
export function wrapLeft(agent, clocks, local) {
  const over = agent.until ? clocks.since(agent.site, agent.until, local) : null;
  return over === null ? null : Math.max(0, Math.ceil(-over));
}

/** {tone, title}: how the time in a state stands to the reader's limits. */
export function judged(state, seconds) {
  const limits = thresholds.agent(state);
  const tone = levelOf(seconds, limits);
  if (!tone) return { tone, title: null };
  return { tone, title: t(`time.${tone}`, { limit: duration(tone === "critical" ? limits.crit : limits.warn) }) };
}

/** Why somebody is not ready, in the reader's language. */
export function whyText(agent) {
  return agent.reason ? reasonText(agent.reason) : "";
}

/** "ends in 0:12", "" without a wrap timer. */
export function wrapText(agent, clocks, local) {
  const left = wrapLeft(agent, clocks, local);
  return left === null ? "" : t("card.ends_in", { time: duration(left) });
}
