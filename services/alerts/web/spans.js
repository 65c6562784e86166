// How long something is or lasted, as this page says it; the services say it in the same way (shared/durationwords.py).

import { duration, NO_DATA, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";

/** What was measured: tenths below a minute, else as a clock. */
export function lasting(value) {
  if (value === null || value === undefined) return "";
  return value < 60 ? seconds(value) : duration(value);
}

/** A limit as it was set: "7 s", "90 s", "15 min", "2 h", in the largest unit that it is a whole number of. */
export function exact(value) {
  if (value === null || value === undefined) return NO_DATA;
  if (value >= 86400 && value % 86400 === 0) return t("unit.days", { n: value / 86400 });
  if (value >= 3600 && value % 3600 === 0) return t("unit.hours", { n: value / 3600 });
  if (value >= 60 && value % 60 === 0) return t("unit.minutes", { n: value / 60 });
  return t("unit.seconds", { n: Math.round(value * 10) / 10 });
}

const UNITS = [[86400, "days"], [3600, "hours"], [60, "minutes"], [1, "seconds"]];

/** How long it takes, for a sentence: "12 min 5 s", "5 h 30 min", two units at most. */
export function inUnits(value) {
  let left = Math.round(value);
  const parts = UNITS.map(([size, unit]) => {
    const n = Math.floor(left / size);
    left -= n * size;
    return { n, unit };
  });
  const first = Math.max(0, parts.findIndex(({ n }) => n > 0));
  const shown = parts.slice(first, first + 2).filter(({ n }) => n > 0);
  return shown.length ? shown.map(({ n, unit }) => t(`unit.${unit}`, { n })).join(" ") : t("unit.seconds", { n: 0 });
}
