// How unevenly frames come: how much later than the fastest of the last seconds each of them was.

const REMEMBERED = 250; // 5 s of frames
const ENOUGH = 25; // before that few, nothing is said
const OFTEN = 0.95;

export class Spread {
  constructor() {
    this.delays = new Float64Array(REMEMBERED);
    this.sorted = new Float64Array(REMEMBERED);
    this.restart();
  }

  /** Forget: what comes next was delayed by another way, so that it cannot be compared. */
  restart() {
    this.count = 0;
    this.next = 0;
    this.fastest = Infinity;
  }

  /** A frame came `delay` ms after its place in the stream, counted from anywhere as long as it is always the same. */
  add(delay) {
    const old = this.count === REMEMBERED ? this.delays[this.next] : Infinity;
    this.delays[this.next] = delay;
    this.next = (this.next + 1) % REMEMBERED;
    this.count = Math.min(REMEMBERED, this.count + 1);
    if (delay <= this.fastest) this.fastest = delay;
    else if (old <= this.fastest) this.fastest = this.delays.subarray(0, this.count).reduce((least, one) => Math.min(least, one));
  }

  /** ms that 95 of 100 frames stay under; null while too few have come. */
  usual() {
    if (this.count < ENOUGH) return null;
    const sorted = this.sorted.subarray(0, this.count);
    sorted.set(this.delays.subarray(0, this.count));
    sorted.sort();
    return sorted[Math.ceil(OFTEN * this.count) - 1] - this.fastest;
  }
}
