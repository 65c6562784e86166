// What it costs customers when nobody acts: the one figure that items are ranked by (docs/actions.md).
//
// Customer-seconds at stake within the next minute: 60 × customers × weight × urgency × chance that the advice helps.

const MINUTE_S = 60;
const MOST_URGENT = 3;

/** What a second of a customer is worth against one of waiting in a queue. */
export const WEIGHT = {
  waiting: 1,
  ringing: 1, // hears ringing, as the one who waits does
  held: 1.5, // had somebody, and lost them
  transferred: 3, // hears music or nothing, and nobody feels responsible
  served: 0.15, // a long call costs only those behind it
  idle: 0.05, // nobody waits: it costs the next ones at most
};

/** How likely it is that the advice frees somebody within the minute. */
export const CHANCE = {
  transfer: 0.9,
  ready: 0.9, // they sit there
  wrap: 0.9, // one word
  ringing: 0.8,
  break: 0.7, // they have to be found
  elsewhere: 0.6, // has to know the queue's work
  hold: 0.6,
  phone: 0.4,
  nobody: 0.3, // what a supervisor finds
};

/** One customer who gives up: waited in vain and mostly calls again. In customer-seconds. */
export const LOST = 300;

/** From 1 at the start over 2 at the limit to 4 at three times the limit and beyond: patience ends, and more give up each second. */
export function urgency(value, limit) {
  return 1 + Math.min(MOST_URGENT, limit > 0 ? Math.max(0, value) / limit : MOST_URGENT);
}

export function harm(customers, weight, urgent, chance) {
  return MINUTE_S * customers * weight * urgent * chance;
}

/** Of a queue: each of `helpers` may take one of the `waiting`; for the rest there is what a supervisor finds otherwise. */
export function harmOfWait(waiting, helpers, urgent, chance) {
  const helped = Math.min(waiting, helpers);
  return harm(helped, WEIGHT.waiting, urgent, chance) + harm(waiting - helped, WEIGHT.waiting, urgent, Math.min(chance, CHANCE.nobody));
}
