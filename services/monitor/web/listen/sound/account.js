// What became of the frames, and how old what is heard is: figures that are null where nobody can know.

const WINDOW_S = 10;

export class Account {
  constructor(clock, outlet) {
    Object.assign(this, { clock, outlet, report: null, missing: 0 });
    this.past = []; // counts of the last seconds, the newest last
  }

  /** What the worklet reported last. */
  take(report) {
    this.report = report;
  }

  /** The relay kept back `total` frames so far. */
  discarded({ total }) {
    this.missing = total;
  }

  /** A second is over; the relay's own figures of it are `relay`. */
  sum({ now_us: _, ...relay }) {
    this.missing = Math.max(this.missing, relay.discarded ?? 0);
    const counts = this.report?.counts ?? {};
    this.past.push(counts);
    if (this.past.length > WINDOW_S + 1) this.past.shift();
    return { ...counts, ...this.#delays(), loss: this.#loss(), discarded: this.missing, relay };
  }

  #delays() {
    const { report } = this;
    const network = this.#network();
    const output = this.outlet?.latencyMs ?? null;
    const waited = report?.played ? report.played.waited_ms + report.resampler_ms : null;
    const known = network !== null && waited !== null;
    return {
      network_ms: network,
      buffer_ms: waited,
      output_ms: output,
      latency_ms: known ? network + waited + (output ?? 0) : null,
      target_ms: report?.target_ms ?? null,
      jitter_ms: report?.jitter_ms ?? null,
      held_ms: report?.held_ms ?? null,
      clock_error_ms: this.clock.roundTrip === null ? null : this.clock.roundTrip / 2,
    };
  }

  /** ms from the relay to this page of the frame that was played last. */
  #network() {
    const played = this.report?.played;
    const { offset } = this.clock;
    if (!played || offset === null) return null;
    return Math.max(0, played.arrived + offset - played.capturedUs / 1000);
  }

  #loss() {
    const [first, last] = [this.past[0], this.past.at(-1)];
    const [lost, received] = ["lost", "received"].map((name) => (last[name] ?? 0) - (first[name] ?? 0));
    return lost + received > 0 ? lost / (lost + received) : null;
  }
}
