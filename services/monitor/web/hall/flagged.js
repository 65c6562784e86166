// How far what is flagged is from its limit, each kind in what it is measured in: a time by its time over the limit, a share in
// points, what has no distance not at all.

import { api } from "/static/shared/api.js";
import { duration, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";

const AGAIN_MS = 60_000; // at most so often the rules are asked for when a flag is of one that is not known

// Figures of a period: how long one has been bad says nothing about how bad it is.
const PERIOD = /\b(recent_\w+|service_level|abandonment_rate|occupancy|asa_s|aht_s)\b/;
const WAIT_OVER = /\blongest_wait_s\s*>=?\s*(\d+(?:\.\d+)?)/;
const ABANDONED_OVER = /\b(recent_)?abandonment_rate\s*>=?\s*(0?\.\d+)/;
const LEVEL_UNDER = /\b(recent_)?service_level\s*</;

/** The rules in force, by name: what their flags are about. */
export class Rules {
  constructor() {
    this.byName = new Map();
    this.asked = -Infinity;
  }

  /** The rule of that name; null while it is not known, and then it is asked for. */
  of(name) {
    const rule = this.byName.get(name);
    if (!rule) this.#ask();
    return rule ?? null;
  }

  async #ask() {
    const now = performance.now();
    if (now - this.asked < AGAIN_MS) return;
    this.asked = now;
    try {
      const { rules } = await api.get("/api/v1/rules");
      this.byName = new Map(rules.map((rule) => [rule.name, rule]));
    } catch {
      // the hall says elsewhere that the monitor is away; without rules queues' flags have no distance
    }
  }
}

/** The distance of an item of `HallBoard.worst()` in words; "" when it has none or it is not known. */
export function distanceOf({ site, started, raised, flag }, board, rules, local) {
  if (!flag) return "";
  const rule = rules.of(flag.rule);
  const when = typeof rule?.when === "string" ? rule.when : "";
  const queue = flag.subject === "queue" ? board.store.queues.get(`${site}/${flag.subject_id}`) : null;
  if (queue) {
    const own = ofQueue(queue, when, board, local);
    if (own !== null) return own;
  }
  const timed = rule ? !PERIOD.test(when) : !["queue", "site"].includes(flag.subject);
  return timed && raised > started ? over(board.lasted(site, raised, local)) : "";
}

/** The distance of the figure that a rule about a queue compares; null when it compares none that has one. */
function ofQueue(queue, when, board, local) {
  const [, limit] = WAIT_OVER.exec(when) ?? [];
  if (limit) {
    const waited = board.lasted(queue.site, queue.longest_since, local);
    return waited !== null && waited > limit ? over(waited - limit) : "";
  }
  const level = LEVEL_UNDER.exec(when);
  if (level) {
    const value = level[1] ? queue.recent?.service_level : queue.service_level.value;
    return points("gap.share.below", value, (share) => queue.service_level.target - share);
  }
  const [, recent, most] = ABANDONED_OVER.exec(when) ?? [];
  if (most) {
    const value = recent ? queue.recent?.abandonment_rate : queue.abandonment_rate;
    return points("gap.share.over", value, (share) => share - Number(most));
  }
  return null;
}

function over(seconds) {
  return seconds === null ? "" : t("strip.over", { time: duration(seconds) });
}

/** A distance in points; "" while there is none, as the flag may stay a while longer. */
function points(words, share, beyond) {
  const n = share === null || share === undefined ? 0 : Math.round(beyond(share) * 100);
  return n > 0 ? t(words, { n: number(n) }) : "";
}
