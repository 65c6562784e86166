// What a transfer's view says of its stretches and its verdict: one reading of it for the rail, the cards, the drawers, the
// advice and the desk. The legs are those of the monitor (core/transfers.py). Pure functions, no page.

export const SLOW_S = 7; // a transfer may take this long, by any switch and floor
export const LEGS = ["seek", "ring", "brief"];
const UNTOLD_S = 0.05; // less is rounding

export const isRunning = ({ outcome }) => outcome === "running";

/** Seconds by which the switch's clock may be off. */
export const offBy = ({ precision_ms: ms }) => (ms ?? 0) / 1000;

const msOf = (time) => (typeof time === "number" ? time : time ? Date.parse(time) : NaN);

/** Seconds from `from` to `to` (ISO or ms); null when either is missing. */
export function between(from, to) {
  const seconds = (msOf(to) - msOf(from)) / 1000;
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

/** Where a transfer is, or how it ended: the key of its word. */
export function phaseOf(transfer) {
  if (!isRunning(transfer)) return transfer.outcome;
  if (transfer.answered) return "briefing";
  return transfer.ringing ? "ringing" : "seeking";
}

/** Seconds from the request to the bridge, to the end, or to `now` (the site's, in ms) while it runs; null when it cannot be told. */
export function tookS(transfer, now) {
  if (isRunning(transfer)) return between(transfer.requested, now);
  return transfer.total_s ?? between(transfer.requested, transfer.bridged ?? transfer.ended);
}

/** Whether it took, or takes, too long for certain: a coarse clock's doubt counts for it. */
export function isSlow(transfer, took) {
  return transfer.slow === "yes" || (isRunning(transfer) && (took ?? 0) > SLOW_S + offBy(transfer));
}

/**
 * The legs in their order: [{name, from, to, seconds, open}], times in ms since 1970. `now`: the site's time for what still
 * runs. One that never ended ends with the transfer and is open. Left out is a leg that never began, or that the switch does
 * not tell apart: without a ring the time until the answer is neither; only with `attended` do colleagues speak.
 */
export function legsOf(transfer, now) {
  const [requested, ringing, answered, bridged] = ["requested", "ringing", "answered", "bridged"].map((name) => msOf(transfer[name]));
  const end = msOf(transfer.bridged ?? transfer.ended); // released is no end: who lets go early leaves it running
  const until = Number.isNaN(end) ? now : end;
  const untold = Number.isNaN(ringing) && !Number.isNaN(answered);
  const stretches = [
    ["seek", untold ? NaN : requested, ringing, transfer.seek_s],
    ["ring", ringing, answered, transfer.ring_s],
    ["brief", transfer.kind === "attended" ? answered : NaN, bridged, transfer.brief_s],
  ];
  return stretches.flatMap(([name, from, over, told]) => {
    const open = Number.isNaN(over);
    const to = Math.max(from, open ? until : over);
    return Number.isNaN(to) ? [] : [{ name, from, to, seconds: told ?? (to - from) / 1000, open }];
  });
}

/** Seconds of what it took that no leg tells, because the switch does not; 0 when the legs tell all of it. */
export function untoldS(transfer, now) {
  const told = legsOf(transfer, now).reduce((sum, leg) => sum + leg.seconds, 0);
  const rest = (tookS(transfer, now) ?? 0) - told;
  return rest > UNTOLD_S ? rest : 0;
}
