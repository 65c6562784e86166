// What is heard where sound is missing: the last period of the voice, repeated and faded out, so that a short gap is no click and a
// long one is silence.

const REMEMBERED_S = 0.04;
const COMPARED_S = 0.01;
const SHORTEST_S = 0.0025; // the period of a 400 Hz voice
const LONGEST_S = 0.015; // and of one of 66 Hz
const JOINT_S = 0.002;
const FADE_S = 0.06;

export class Concealer {
  constructor(rate) {
    this.rate = rate;
    const length = Math.round(REMEMBERED_S * rate);
    this.past = [new Float32Array(length), new Float32Array(length)];
    this.made = 0;
    this.running = false;
  }

  /** `count` samples from `from` on were heard. */
  heard(left, right, from, count) {
    this.running = false;
    const sides = [left, right];
    this.past.forEach((past, side) => {
      const kept = Math.min(count, past.length);
      past.copyWithin(0, kept);
      past.set(sides[side].subarray(from + count - kept, from + count), past.length - kept);
    });
  }

  /** Write `count` samples that go on from what was heard last. */
  make(left, right, from, count) {
    if (!this.running) this.#begin();
    const fade = FADE_S * this.rate;
    [left, right].forEach((out, side) => {
      const { loop, step } = this.voices[side];
      for (let n = 0; n < count; n += 1) {
        const at = this.made + n;
        out[from + n] = at < fade ? (loop[at % loop.length] + step * Math.max(0, 1 - at / this.joint)) * (1 - at / fade) : 0;
      }
    });
    this.made += count;
  }

  #begin() {
    this.running = true;
    this.made = 0;
    this.joint = Math.round(JOINT_S * this.rate);
    this.voices = this.past.map((past) => loopOf(past, periodOf(past, this.rate), this.joint));
  }
}

/**
 * The last `period` of `past` as a loop whose end leads to its beginning also where the voice was not quite periodic, and the step that
 * is between what was heard last and the loop's beginning.
 */
function loopOf(past, period, joint) {
  const loop = past.slice(past.length - period);
  const before = past.length - 2 * period;
  for (let n = 1; n <= Math.min(joint, period); n += 1) {
    const share = 1 - (n - 0.5) / joint;
    loop[period - n] += (past[before + period - n] - loop[period - n]) * share;
  }
  return { loop, step: past[past.length - 1] - past[past.length - period - 1] };
}

/** The lag at which the end of `past` is most like what was before it. */
function periodOf(past, rate) {
  const compared = Math.round(COMPARED_S * rate);
  const end = past.length - compared;
  let best = Math.round(LONGEST_S * rate);
  let likest = 0;
  for (let lag = Math.round(SHORTEST_S * rate); lag <= LONGEST_S * rate; lag += 1) {
    let [product, energy] = [0, 1e-9];
    for (let n = end; n < past.length; n += 1) {
      product += past[n] * past[n - lag];
      energy += past[n - lag] ** 2;
    }
    const likeness = product / Math.sqrt(energy);
    if (likeness > likest) [likest, best] = [likeness, lag];
  }
  return best;
}
