// Asking the server again and again for what the feed does not tell; what it said last stays while it is away.

const HIDDEN_MS = 6000; // a page that nobody looks at asks less often
const LONGEST_MS = 10_000;

export class Asked {
  /** `ask()` resolves to a value; `onChange()` after each answer and each failure. `trouble`: the last failure, null when all is well. */
  constructor(ask, { everyMs, onChange, first = null }) {
    Object.assign(this, { ask, everyMs, onChange, value: first, trouble: null, known: false, failures: 0, timer: null, turn: 0 });
  }

  start() {
    this.now();
    return this;
  }

  stop() {
    clearTimeout(this.timer);
    this.turn += 1;
  }

  /** Ask at once; whatever was asked before is not waited for. */
  async now() {
    clearTimeout(this.timer);
    const mine = (this.turn += 1);
    try {
      const value = await this.ask();
      if (mine !== this.turn) return;
      Object.assign(this, { value, trouble: null, known: true, failures: 0 });
    } catch (error) {
      if (error.name !== "ApiError") throw error;
      if (mine !== this.turn) return;
      Object.assign(this, { trouble: error, failures: this.failures + 1 });
    }
    const usual = document.hidden ? Math.max(HIDDEN_MS, this.everyMs) : this.everyMs;
    this.timer = setTimeout(() => this.now(), Math.min(LONGEST_MS, usual * 2 ** Math.min(this.failures, 3)));
    this.onChange();
  }
}
