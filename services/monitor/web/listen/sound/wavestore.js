// What the last minute sounded like: twenty columns a second, each with its time, kind and how loud each side was.

export const COLUMN_MS = 50;
export const SHOWN_MS = 60_000;

const VOICE = 0.02; // -34 dB: above it somebody speaks
const CONTINUES_MS = 400; // a voice that pauses between words goes on

export class WaveStore {
  constructor(shownMs = SHOWN_MS) {
    this.shownMs = shownMs;
    this.columns = [];
    this.marks = [];
  }

  /** A `level` of a Listening. What was not told for a while is a gap. */
  add({ at, kind, channels, agent, customer }) {
    const last = this.columns.at(-1);
    const column = { at, kind, agent: agent.peak, customer: channels === 1 ? null : customer.peak };
    if (last && at <= last.at) column.at = last.at + 1;
    this.columns.push(column);
    this.#forget(at);
  }

  /** A mark {at (ms since 1970), kind: "hold" | "transfer" | "flag" | "note" | …, label}. The same one twice is one. */
  mark(mark) {
    const known = this.marks.some(({ at, kind, label }) => at === mark.at && kind === mark.kind && label === mark.label);
    if (!known) this.marks.push(mark);
    this.marks.sort((one, other) => one.at - other.at);
  }

  #forget(now) {
    const oldest = now - this.shownMs - 1000;
    let spent = 0;
    while (spent < this.columns.length && this.columns[spent].at < oldest) spent += 1;
    if (spent > 100) this.columns.splice(0, spent);
    if (this.marks.length && this.marks[0].at < oldest) this.marks = this.marks.filter(({ at }) => at >= oldest);
  }

  /** Seconds of the last minute before `now`: {agent, customer, muted, gap}: who spoke, what was kept back, what is missing. */
  sums(now) {
    const sums = { agent: 0, customer: 0, muted: 0, gap: 0 };
    const spoke = { agent: -Infinity, customer: -Infinity };
    for (const column of this.columns) {
      if (column.at < now - this.shownMs) continue;
      if (column.kind in sums && column.kind !== "sound") sums[column.kind] += COLUMN_MS / 1000;
      for (const side of ["agent", "customer"]) {
        if (column[side] > VOICE) spoke[side] = column.at;
        if (column.at - spoke[side] < CONTINUES_MS) sums[side] += COLUMN_MS / 1000;
      }
    }
    return sums;
  }
}
