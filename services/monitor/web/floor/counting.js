// From when on a queue's figures count, and what of them is from before: in words.

import { age, clockMinutes, dayShort, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { tellEvidence } from "../evidence.js";

/**
 * Calls that waited already when counting began, at midnight mostly. A call counts as offered where it arrived and as answered
 * or abandoned where that happened, so of these the day has the end and not the beginning.
 */
export function carriedOver({ since, offered, answered, abandoned, other_ended: other, waiting }) {
  return since === null ? 0 : Math.max(0, answered + abandoned + other + waiting - offered);
}

/** "3 more waited already at 00:00", "" when none did. */
export function carriedText(queue, board) {
  const n = carriedOver(queue);
  return n ? t("queue.carried", { n: number(n), time: clockMinutes(queue.since, board.zone(queue.site)) }) : "";
}

/** "since 09:14", with the day when that is not the site's today. */
export function sinceText(queue, board) {
  if (!queue.since) return t("queue.no_count");
  const time = clockMinutes(queue.since, board.zone(queue.site));
  const today = dayShort(board.clocks.now(queue.site), board.zone(queue.site));
  return t(dayOf(queue) === today ? "queue.since" : "queue.since_on", { time, day: dayOf(queue) });
}

/** All of a tile's last line in sentences: from when on the figures count, how they are known, when the switch last said something. */
export function sinceHint(queue, board) {
  const time = clockMinutes(queue.since, board.zone(queue.site));
  const counted = queue.since ? t("queue.since.hint", { day: dayOf(queue), time }) : t("queue.no_count.hint");
  return `${counted} ${t("queue.seen.hint", { evidence: tellEvidence(queue, board) })}`;
}

/** "51 s ago": when the switch last said something of the queue; "" before it ever did. */
export function seenText(queue, board, local) {
  const known = board.ageOf(queue, local);
  return known === null ? "" : t("queue.seen", { age: age(known) });
}

const dayOf = ({ day }) => dayShort(`${day}T12:00:00Z`, "UTC");
