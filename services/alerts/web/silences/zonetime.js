// Times as a site's clock on the wall shows them, for <input type="datetime-local">, and back.

/** "2026-11-23T14:05" in `zone`, of an instant. */
export function wallTime(at, zone) {
  const parts = Object.fromEntries(format(zone).formatToParts(new Date(at)).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

const DAY = 86_400_000;

/** The ISO instant at which the wall clock in `zone` shows `wall`; null when that is no whole time. On the day on which clocks change
 * what is skipped is the hour after, and what comes twice the first, as everywhere here: both are read by the time of the day before. */
export function instantOf(wall, zone) {
  const asked = Date.parse(`${wall}:00Z`);
  if (!wall || Number.isNaN(asked)) return null;
  const [before, after] = [asked - DAY, asked + DAY].map((at) => asked - ahead(at, zone));
  const at = wallTime(before, zone) !== wall && wallTime(after, zone) === wall ? after : before;
  return new Date(at).toISOString();
}

/** By how many milliseconds the wall clock in `zone` is ahead of UTC at an instant of whole minutes. */
const ahead = (at, zone) => Date.parse(`${wallTime(at, zone)}:00Z`) - at;

const formats = new Map();

function format(zone) {
  if (!formats.has(zone)) {
    formats.set(
      zone,
      new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    );
  }
  return formats.get(zone);
}

export const hereZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
