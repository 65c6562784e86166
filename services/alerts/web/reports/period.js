// The periods that reports are about: whole days of the site. A day is a text, "2026-11-23"; weeks begin on Monday.

import { language, t } from "/static/shared/i18n.js";

export const KINDS = ["daily", "weekly", "monthly", "quarterly", "yearly"];

const utc = (day) => new Date(`${day}T00:00:00Z`);
const text = (date) => date.toISOString().slice(0, 10);
const make = (year, month, day = 1) => text(new Date(Date.UTC(year, month, day)));

/** The day that it is in `zone`. */
export function today(zone, at = Date.now()) {
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone || undefined, year: "numeric", month: "2-digit", day: "2-digit" }).format(at);
}

/** The first day of the period of this kind that `day` is in, `by` periods later. */
export function firstOf(kind, day, by = 0) {
  const date = utc(day);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  if (kind === "daily") return make(year, month, date.getUTCDate() + by);
  if (kind === "weekly") return make(year, month, date.getUTCDate() - ((date.getUTCDay() + 6) % 7) + 7 * by);
  if (kind === "monthly") return make(year, month + by);
  if (kind === "quarterly") return make(year, month - (month % 3) + 3 * by);
  return make(year + by, 0);
}

/** Its last day. */
export function lastOf(kind, first) {
  const next = utc(firstOf(kind, first, 1));
  next.setUTCDate(next.getUTCDate() - 1);
  return text(next);
}

/** The last one that is over: reports are mostly about what is whole. */
export const lastWhole = (kind, zone) => firstOf(kind, today(zone), -1);

/** Whether it is over on that day. */
export const isOver = (kind, first, day) => lastOf(kind, first) < day;

/** Its name for people. */
export function label(kind, first) {
  const date = utc(first);
  const year = date.getUTCFullYear();
  if (kind === "daily") return say({ weekday: "short", year: "numeric", month: "short", day: "numeric" }, date);
  if (kind === "weekly") return t("period.week", { n: weekNumber(date), from: say({ month: "short", day: "numeric" }, date), to: say({ year: "numeric", month: "short", day: "numeric" }, utc(lastOf(kind, first))) });
  if (kind === "monthly") return say({ year: "numeric", month: "long" }, date);
  if (kind === "quarterly") return t("period.quarter", { n: date.getUTCMonth() / 3 + 1, year });
  return t("period.year", { year });
}

function say(options, date) {
  return new Intl.DateTimeFormat(language() === "zh-CN" ? "zh-CN" : "en-GB", { ...options, timeZone: "UTC" }).format(date);
}

/** ISO 8601: the week that has the year's first Thursday is the first. */
function weekNumber(monday) {
  const thursday = new Date(monday);
  thursday.setUTCDate(thursday.getUTCDate() + 3);
  return 1 + Math.floor((thursday - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / (7 * 86_400_000));
}
