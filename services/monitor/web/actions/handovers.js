// Advice about transfers over their limit: which leg hangs, and who can end it.

import { isRunning, isSlow, SLOW_S } from "../transferfacts.js";
import { CHANCE, harm, urgency, WEIGHT } from "./harm.js";
import { both, spoken, tenths } from "./phrases.js";
import { labelOf, nameOf } from "./survey.js";

export function transferCandidates(floor) {
  return floor.transfers.flatMap((transfer) => {
    const total = isRunning(transfer) ? floor.since(transfer, transfer.requested) : null;
    if (total === null || !isSlow(transfer, total)) return [];
    const id = `transfer:${transfer.site}/${transfer.transfer_id}`;
    return [{ id, causes: [{ key: id, site: transfer.site }], build: (taken) => item(floor, transfer, total, taken) }];
  });
}

/** Where a running transfer hangs: {leg, since}. */
function hangingLeg({ requested, ringing, answered }) {
  if (answered) return { leg: "brief", since: answered };
  return ringing ? { leg: "ring", since: ringing } : { leg: "seek", since: requested };
}

function item(floor, transfer, total, taken) {
  const { leg, since } = hangingLeg(transfer);
  const from = floor.agent(transfer.site, transfer.from_agent);
  const to = floor.agent(transfer.site, transfer.to_agent);
  const involved = [transfer.from_agent, transfer.to_agent].filter(Boolean).map((id) => `${transfer.site}/${id}`);
  const values = {
    from: from ? nameOf(from) : transfer.from_agent || both("act.transfer.unknown"),
    to: targetOf(floor, transfer, to),
    total: tenths(total),
    leg: spoken(floor.since(transfer, since) ?? 0),
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

function targetOf(floor, transfer, to) {
  if (to) return nameOf(to);
  const queue = transfer.to_queue && floor.queue(transfer.site, transfer.to_queue);
  if (queue) return labelOf(queue);
  return transfer.to_agent || transfer.to_queue || transfer.to_number || both("act.transfer.unknown");
}
