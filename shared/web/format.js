// Figures and times as people read them. What does not exist is a dash, never a zero.

import { language, t } from "./i18n.js";

export const NO_DATA = "–";

const LOCALES = { en: "en-GB", "zh-CN": "zh-CN" }; // English with the day before the month: boards are read everywhere

const formats = new Map();

function cached(kind, options, make) {
  const key = `${kind}|${language()}|${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = make()));
  return format;
}

function absent(value) {
  return value === null || value === undefined || Number.isNaN(value);
}

const LONGEST_CLOCK_H = 100; // 99:59:59 is the widest that a column of times must hold

/** Seconds as m:ss, h:mm:ss from an hour on, and "4 d 7 h" from 100 hours on. Negative counts as 0: clocks may differ by a moment. */
export function duration(seconds) {
  if (absent(seconds)) return NO_DATA;
  const whole = Math.max(0, Math.floor(seconds));
  const s = String(whole % 60).padStart(2, "0");
  const m = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  if (hours >= LONGEST_CLOCK_H) return t("unit.days_hours", { d: Math.floor(hours / 24), h: hours % 24 });
  return hours ? `${hours}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** Seconds with one decimal, "7.3 s": for what is judged in tenths. */
export function seconds(value) {
  return absent(value) ? NO_DATA : t("unit.seconds", { n: number(Math.max(0, value), 1) });
}

/** An age in its largest unit: "4 s", "12 min", "3 h", "2 d". */
export function age(value) {
  if (absent(value)) return NO_DATA;
  const whole = Math.max(0, Math.floor(value));
  if (whole < 60) return t("unit.seconds", { n: whole });
  if (whole < 3600) return t("unit.minutes", { n: Math.floor(whole / 60) });
  if (whole < 86400) return t("unit.hours", { n: Math.floor(whole / 3600) });
  return t("unit.days", { n: Math.floor(whole / 86400) });
}

/** A number in the reader's language with exactly `digits` decimals. */
export function number(value, digits = 0) {
  if (absent(value)) return NO_DATA;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return cached("number", options, () => new Intl.NumberFormat(LOCALES[language()], options)).format(value);
}

/** A share of 0 to 1 as "87 %" without the space: "87%". Never rounds up to 100%. */
export function percent(value) {
  if (absent(value)) return NO_DATA;
  const whole = value < 1 ? Math.min(99, Math.round(value * 100)) : 100;
  return `${whole}%`;
}

function zoned(options, zone) {
  const all = zone ? { ...options, timeZone: zone } : options;
  return cached("date", all, () => new Intl.DateTimeFormat(LOCALES[language()], all));
}

/** Milliseconds since 1970, from an ISO string, a Date or a number; NaN when there is none. */
export function instant(value) {
  if (typeof value === "number") return value;
  return value ? new Date(value).getTime() : NaN;
}

function formatTime(value, options, zone) {
  const at = instant(value);
  return Number.isNaN(at) ? NO_DATA : zoned(options, zone).format(at);
}

/** 09:05:07 in `zone` (an IANA name; the browser's when left out). */
export function clock(value, zone) {
  return formatTime(value, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }, zone);
}

/** 09:05 in `zone`. */
export function clockMinutes(value, zone) {
  return formatTime(value, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, zone);
}

/** "22 Nov" in `zone`. */
export function dayShort(value, zone) {
  return formatTime(value, { day: "numeric", month: "short" }, zone);
}

/** "22 Nov 2026, 09:05:07" in `zone`. */
export function dateTime(value, zone) {
  return formatTime(
    value,
    {
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
    },
    zone,
  );
}
