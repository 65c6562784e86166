// What a transfer's view says, in words and seconds: for its row at the side, and for the cards of those who are part of it.

import { t } from "/static/shared/i18n.js";

export const SLOW_S = 7; // a transfer may take this long, by any switch and floor

/** Where a transfer is, or how it ended. */
export function phaseOf(transfer) {
  if (transfer.outcome !== "running") return transfer.outcome;
  if (transfer.answered) return "briefing";
  return transfer.ringing ? "ringing" : "seeking";
}

/** Whom it goes to, in words. */
export function targetOf(transfer, board) {
  return (
    (transfer.to_agent && board.agentName(transfer.site, transfer.to_agent)) ||
    (transfer.to_queue && board.queueLabel(transfer.site, transfer.to_queue)) ||
    transfer.to_number ||
    t("transfers.unknown_target")
  );
}

/** Seconds from the request until now, or in all. */
export function elapsedOf(transfer, clocks, local) {
  if (transfer.outcome === "running") return clocks.since(transfer.site, transfer.requested, local);
  return transfer.total_s ?? betweenS(transfer.requested, transfer.ended);
}

/** Whether it took, or takes, too long for certain: a coarse clock's doubt counts for it. */
export function isSlow(transfer, elapsed) {
  if (transfer.slow === "yes") return true;
  return transfer.outcome === "running" && (elapsed ?? 0) > SLOW_S + offBy(transfer);
}

/** Seconds by which the switch's clock may be off. */
export function offBy(transfer) {
  return (transfer.precision_ms ?? 0) / 1000;
}

function betweenS(from, to) {
  return from && to ? (new Date(to) - new Date(from)) / 1000 : null;
}
