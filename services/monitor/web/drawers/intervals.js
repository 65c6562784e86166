// A queue's day as slots of 15 minutes. A slot in which nothing was counted is a gap, never a row of zeros.

const QUARTER_MS = 15 * 60_000;
const HOUR_MS = 60 * 60_000;
const LEAST_SPAN_MS = 4 * HOUR_MS;

/** Whether anything was counted in a stretch: a call, or an agent who was there. */
function wasCounted(stretch) {
  const { offered, answered, abandoned, other_ended: other, handled, handling_s: handling, ready_s: ready } = stretch;
  return offered + answered + abandoned + other + handled + handling + ready > 0;
}

/**
 * {slots: [{from, to, figures, running}], from, to, counted_from} in milliseconds; `figures` is null in a gap. The axis begins
 * at the full hour and is at least four hours long, so that an early drawer does not show one giant bar.
 */
export function slotsOf(day) {
  const known = [...day.intervals, day.running].map((figures) => ({
    from: Date.parse(figures.started_at),
    to: figures.ended_at ? Date.parse(figures.ended_at) : Date.parse(figures.started_at) + QUARTER_MS,
    figures: wasCounted(figures) ? figures : null,
    running: figures === day.running,
  }));
  known.sort((a, b) => a.from - b.from);
  const slots = [];
  for (const slot of known) {
    for (let at = slots.at(-1)?.to ?? slot.from; at < slot.from; at += QUARTER_MS) {
      slots.push({ from: at, to: Math.min(at + QUARTER_MS, slot.from), figures: null, running: false });
    }
    slots.push(slot);
  }
  const counted = Date.parse(day.total.counted_from);
  const from = Math.floor(slots[0].from / HOUR_MS) * HOUR_MS;
  const to = Math.max(slots.at(-1).to, from + LEAST_SPAN_MS);
  return { slots, from, to, counted_from: counted };
}

/** The service level of a stretch by `formula`; null when no call counts. */
export function levelOfStretch(figures, formula) {
  return figures?.service_levels[formula] ?? null;
}

/** What the axis of counts reaches to, and its steps: 1, 2 or 5 times a power of ten. */
export function scaleFor(most) {
  const target = Math.max(4, most);
  const rough = target / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((one) => one >= rough);
  const whole = Math.max(1, step);
  return { max: Math.ceil(target / whole) * whole, step: whole };
}
