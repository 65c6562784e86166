// Times as a site's clock on the wall shows them, for <input type="datetime-local">, and back.

/** "2026-11-23T14:05" in `zone`, of an instant. */
export function wallTime(at, zone) {
  const parts = Object.fromEntries(format(zone).formatToParts(new Date(at)).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

const SHIFTS = [3_600_000, 1_800_000]; // by which clocks are put back: an hour, on Lord Howe half of one

/** The ISO instant at which the wall clock in `zone` shows `wall`; null when that is no whole time. What is skipped is the hour after,
 * what comes twice the first, as everywhere here. */
export function instantOf(wall, zone) {
  const asked = Date.parse(`${wall}:00Z`);
  if (!wall || Number.isNaN(asked)) return null;
  let at = asked;
  for (let i = 0; i < 3; i++) {
    const off = Date.parse(`${wallTime(at, zone)}:00Z`) - asked;
    if (!off) break;
    at -= off;
  }
  const first = SHIFTS.map((shift) => at - shift).find((earlier) => wallTime(earlier, zone) === wall);
  return new Date(first ?? at).toISOString();
}

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
