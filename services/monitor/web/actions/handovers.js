// Advice about transfers: over their limit, which leg hangs and who can end it; failed, whose customer waits again.

import { isRunning, isSlow, SLOW_S } from "../transferfacts.js";
import { CHANCE, harm, urgency, WEIGHT } from "./harm.js";
import { both, spoken, tenths } from "./phrases.js";
import { labelOf, nameOf, severityOf } from "./survey.js";

const WAITS_AGAIN_S = 10; // a colleague may be about to take them

export function transferCandidates(floor) {
  return floor.transfers.flatMap((transfer) => {
    const found = isRunning(transfer) ? slow(floor, transfer) : failed(floor, transfer);
    return found ? [found] : [];
  });
}

function candidate(cause, { site, transfer_id: id }, build) {
  const key = `${cause}:${site}/${id}`;
  return { id: key, causes: [{ key, site }], build };
}

function slow(floor, transfer) {
  const total = floor.since(transfer, transfer.requested);
  if (total === null || !isSlow(transfer, total)) return null;
  return candidate("transfer", transfer, (taken) => slowItem(floor, transfer, total, taken));
}

/** Where a running transfer hangs: {leg, since}. */
function hangingLeg({ requested, ringing, answered }) {
  if (answered) return { leg: "brief", since: answered };
  return ringing ? { leg: "ring", since: ringing } : { leg: "seek", since: requested };
}

function slowItem(floor, transfer, total, taken) {
  const { leg, since } = hangingLeg(transfer);
  const involved = [transfer.from_agent, transfer.to_agent].filter(Boolean).map((id) => `${transfer.site}/${id}`);
  const values = {
    ...parties(floor, transfer),
    total: tenths(total),
    limit: tenths(SLOW_S),
    leg: tenths(floor.since(transfer, since) ?? 0),
  };
  return {
    kind: "transfer_slow",
    site: transfer.site,
    agents: [...new Set(involved)].filter((key) => !taken.has(key)),
    transfer: transfer.transfer_id,
    severity: "critical",
    score: harm(1, WEIGHT.transferred, urgency(total, SLOW_S), CHANCE.transfer),
    text: both(`act.transfer.${leg}`, values),
    advice: both(`act.transfer.${leg}.advice`, values),
    note: null,
    instant: true,
  };
}

/** One whose customer is back in a queue; where somebody has them again, nothing needs doing. */
function failed(floor, transfer) {
  const call = transfer.outcome === "failed" ? floor.call(transfer.site, transfer.call_id) : null;
  const queue = call?.state === "queued" ? floor.queue(transfer.site, call.queue) : null;
  const waits = queue && floor.since(transfer, call.queued_since);
  if (!(waits > WAITS_AGAIN_S)) return null;
  const limits = floor.thresholds.of(queue).longest_wait_s;
  return candidate("transfer_failed", transfer, () => ({
    kind: "transfer_failed",
    site: transfer.site,
    queue: queue.queue,
    agents: [],
    call: call.call_id,
    transfer: transfer.transfer_id,
    severity: severityOf(waits, limits, "warning"),
    score: harm(1, WEIGHT.transferred, urgency(waits, limits.warn), CHANCE.nobody),
    text: both("act.transfer_failed", { ...parties(floor, transfer), queue: labelOf(queue), waits: spoken(waits), number: call.from_number ? both("act.number", { number: call.from_number }) : "" }),
    advice: both("act.transfer_failed.advice"),
    note: null,
  }));
}

function parties(floor, transfer) {
  const [from, to] = [transfer.from_agent, transfer.to_agent].map((id) => floor.agent(transfer.site, id));
  return { from: from ? nameOf(from) : transfer.from_agent || both("act.transfer.unknown"), to: targetOf(floor, transfer, to) };
}

function targetOf(floor, transfer, to) {
  if (to) return nameOf(to);
  const queue = transfer.to_queue && floor.queue(transfer.site, transfer.to_queue);
  if (queue) return labelOf(queue);
  return transfer.to_agent || transfer.to_queue || transfer.to_number || both("act.transfer.unknown");
}
