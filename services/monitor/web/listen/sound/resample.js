// From one sample rate to another: a windowed sinc, looked up in a table. The step may change from call to call by a little,
// which is how a player catches up, or waits, without a click.

const LOBES = 8; // of the sinc on each side: 8 kHz on 48 kHz has its images some 60 dB down
const PHASES = 128;
const ROOM = 1 << 13; // samples that wait at most; a call asks for far fewer

export class Resampler {
  /** From `from` to `to` samples a second; `channels` are treated alike. */
  constructor(from, to, channels) {
    const narrow = Math.min(1, to / from); // going down, what the new rate cannot hold is filtered out
    this.step = from / to;
    this.half = Math.ceil(LOBES / narrow);
    this.table = kernel(this.half, narrow);
    this.input = Array.from({ length: channels }, () => new Float32Array(ROOM));
    this.have = this.half; // silence before the first sample
    this.at = this.half - 1; // where the next output lies in `input`
  }

  /** How long a sample is under way in here, in samples of the rate it comes in. */
  get delay() {
    return this.half;
  }

  /** Take `count` samples of each of `arrays`. */
  write(arrays, count) {
    this.input.forEach((input, channel) => input.set(arrays[channel].subarray(0, count), this.have));
    this.have += count;
  }

  /** How many samples come out of what is there. */
  ready(step = this.step) {
    return Math.max(0, Math.floor((this.have - this.half - 1 - this.at) / step) + 1);
  }

  /** How many more samples must be written before `count` can come out. */
  missing(count, step = this.step) {
    return Math.max(0, Math.floor(this.at + (count - 1) * step) + this.half + 1 - this.have);
  }

  /** Fill the first `count` samples of each of `outputs`; `missing(count, step)` must be 0. */
  read(outputs, count, step = this.step) {
    outputs.forEach((output, channel) => this.#fill(output, this.input[channel], count, step));
    this.at += count * step;
    const spent = Math.floor(this.at) - this.half + 1;
    if (spent <= 0) return;
    for (const input of this.input) input.copyWithin(0, spent, this.have);
    this.have -= spent;
    this.at -= spent;
  }

  #fill(output, input, count, step) {
    const { half, table } = this;
    const width = 2 * half;
    for (let n = 0; n < count; n += 1) {
      const at = this.at + n * step;
      const whole = Math.floor(at);
      const phase = (at - whole) * PHASES;
      const row = Math.floor(phase);
      const share = phase - row;
      let [one, next] = [0, 0];
      for (let k = 0, from = whole - half + 1, cell = row * width; k < width; k += 1) {
        one += input[from + k] * table[cell + k];
        next += input[from + k] * table[cell + width + k];
      }
      output[n] = one + (next - one) * share;
    }
  }
}

/** `PHASES + 1` rows: row r has the weights of 2 * half samples for a point r / PHASES after the one in the middle. */
function kernel(half, narrow) {
  const width = 2 * half;
  const table = new Float32Array((PHASES + 1) * width);
  for (let row = 0; row <= PHASES; row += 1) {
    const weights = table.subarray(row * width, (row + 1) * width);
    let sum = 0;
    for (let k = 0; k < width; k += 1) {
      const x = k - half + 1 - row / PHASES;
      weights[k] = sinc(x * narrow) * blackman(x / half);
      sum += weights[k];
    }
    for (let k = 0; k < width; k += 1) weights[k] /= sum;
  }
  return table;
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** 1 in the middle, 0 at -1 and 1. */
function blackman(x) {
  return Math.abs(x) >= 1 ? 0 : 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);
}
