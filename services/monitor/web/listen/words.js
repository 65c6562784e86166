// What a place of the deck is, in words, shapes and tones.

import { known, language, t } from "/static/shared/i18n.js";

const TONES = { live: "ok", starting: "info", asking: "info", waiting: "warning", lost: "critical", refused: "critical", ended: "quiet", parked: "quiet" };
const SHAPES = { live: "listened", starting: "timer", asking: "timer", waiting: "timer", lost: "critical", refused: "critical", ended: "offline", parked: "pause" };

export const toneOf = (item) => (item.phase === "live" && item.muted ? "warning" : TONES[item.shownPhase]);
export const shapeOf = (item) => (item.phase === "live" && item.muted ? "hold" : SHAPES[item.shownPhase]);

/** The agent's name, or the call's other party while no agent is known. */
export function nameOfItem(item, board) {
  const { site, agent_id: agent, name } = item.target;
  const now = agentIdOf(item, board) || agent;
  return (now && board.agentName(site, now)) || name || t("listen.unknown_party");
}

/** Who has the call now, as far as the feed tells; after a transfer that is another agent than when it began. */
export function agentIdOf(item, board) {
  const call = board.store.calls.get(item.callKey);
  if (item.target.follow === "agent" || !call) return item.target.agent_id || item.listen?.agent_id || "";
  const talking = call.legs.find((leg) => leg.agent_id && leg.role === "agent" && ["talking", "held"].includes(leg.state));
  return (talking ?? call.legs.find((leg) => leg.agent_id))?.agent_id ?? item.target.agent_id;
}

/** A reason code of the server in words; one that nobody wrote a text for is shown as it is. */
export function reasonWords(reason) {
  if (!reason) return "";
  const key = `listen.reason.${reason}`;
  return known(key) ? t(key) : reason.replaceAll("_", " ");
}

/** What the server refused, in the reader's words; then why, in the server's where it has none in the reader's language. */
export function refusalText({ status, title, detail, problem }) {
  if (["mode", "speak"].includes(problem.policy)) return t("listen.refused.mode");
  if (problem.speaker_name) return t("listen.refused.speaks", { name: problem.speaker_name });
  const key = `listen.refused.${status}`;
  const head = known(key) ? t(key) : t("listen.refused.other", { title });
  if (status === 404) return head; // that says it all
  const why = (language() === "en" ? "" : problem.reason_zh) || detail || title;
  return `${head} ${why}`;
}
