// How far a figure is from its limit: what matters across a hall is not "0:34" but "14 s too long".

import { age, duration, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { keyOf } from "../store.js";
import { levelOf, thresholds } from "../thresholds.js";

const LIMIT_AT = 2 / 3; // where the limit stands on a bar that runs beyond it
const MINUTE_S = 60;
const HOUR_S = 3600;

/** "12 s", from a minute on "1:12", from an hour on "1 h": the wait itself stands beside it. */
function time(seconds) {
  return seconds < MINUTE_S || seconds >= HOUR_S ? age(seconds) : duration(seconds);
}

/** A gauge of more-is-worse whole numbers: `words` is the prefix of the sentences, `shown` writes an amount. */
function upwards(value, limits, words, shown) {
  if (value === null || value === undefined || !limits) return { level: "", text: "", fill: 0, limit: null };
  const whole = Math.floor(value);
  const left = Math.ceil(limits.warn) - whole;
  const key = left > 0 ? "left" : left < 0 ? "over" : "at";
  const fill = limits.warn > 0 ? Math.min(1, Math.max(0, (value / limits.warn) * LIMIT_AT)) : 1;
  return { level: levelOf(value, limits), text: t(`${words}.${key}`, { n: shown(Math.abs(left)) }), fill, limit: LIMIT_AT };
}

/** A wait in seconds: {level, text: "12 s left" | "+8 s over" | "at the limit", fill, limit: shares of the bar}. */
export function waitGap(seconds, limits) {
  return upwards(seconds, limits, "gap.wait", time);
}

/** How many wait, in the same way. */
export function countGap(count, limits) {
  return upwards(count, limits, "gap.count", (n) => number(n));
}

/** A share of 0 to 1 that is to be above its limit, in points of a hundred. */
export function shareGap(share, limits) {
  if (share === null || share === undefined || !limits) return { level: "", text: "", fill: 0, limit: limits?.warn ?? null };
  const points = (share - limits.warn) * 100;
  const size = Math.abs(points);
  const digits = size >= 0.05 && size < 1 ? 1 : 0;
  const key = size < 0.05 ? "at" : points > 0 ? "above" : "below";
  const n = number(size, digits);
  return { level: levelOf(share, limits), text: t(`gap.share.${key}`, { n }), fill: Math.min(1, share), limit: limits.warn };
}

const ORDER = ["", "warning", "critical"];

/** The worst of several levels. */
export function worst(...levels) {
  return levels.reduce((one, other) => (ORDER.indexOf(other) > ORDER.indexOf(one) ? other : one), "");
}

/** Each shown queue's level, by key: the worst of its figures and of the flags about it. */
export function levelsOf(board, local) {
  const levels = new Map();
  for (const queue of board.shownQueues()) {
    if (board.hasNeverReported(queue.site) || board.isStale(queue.site)) continue;
    const limits = thresholds.of(queue);
    const waited = board.lasted(queue.site, queue.longest_since, local);
    const figures = [
      levelOf(queue.waiting, limits.waiting),
      levelOf(waited, limits.longest_wait_s),
      levelOf(queue.service_level.value, limits.service_level),
    ];
    const key = keyOf("queue", queue);
    levels.set(key, worst(...figures, board.levelOfQueue(key)));
  }
  return levels;
}
