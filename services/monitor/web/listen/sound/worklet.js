// Runs where sound is made. In: {frame: ArrayBuffer, arrived} as the relay sent it, {reset: true}, {end: true}. Out, at most 20 times a
// second: levels of what is played, how it is buffered, and what was counted.

import { readFrame } from "./frames.js";
import { JitterBuffer } from "./jitter.js";
import { Resampler } from "./resample.js";

const REPORTS_PER_S = 20;
const BLOCK = 512; // more than what is pulled at once

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.buffer = new JitterBuffer();
    this.resampler = null;
    this.block = [new Float32Array(BLOCK), new Float32Array(BLOCK)];
    this.unread = 0; // messages that were no frames
    this.ended = false;
    this.level = new Level();
    this.port.onmessage = ({ data }) => this.#hear(data);
  }

  #hear({ frame: bytes, arrived, reset, end }) {
    if (end) this.ended = true;
    if (reset) this.buffer.reset();
    if (!bytes) return;
    const frame = readFrame(bytes);
    if (frame === null) {
      this.unread += 1;
      return;
    }
    frame.arrived = arrived;
    this.buffer.push(frame, currentTime * 1000);
  }

  process(_, [output]) {
    const count = output[0].length;
    const { stream } = this.buffer;
    if (stream) this.#play(stream.rate, output, count);
    this.level.passed += count;
    if (this.level.passed >= sampleRate / REPORTS_PER_S) this.#report();
    return !this.ended;
  }

  #play(rate, output, count) {
    if (this.rate !== rate) Object.assign(this, { rate, resampler: new Resampler(rate, sampleRate, 2) });
    const { resampler, buffer, block } = this;
    const step = resampler.step * (1 + buffer.correction);
    const missing = resampler.missing(count, step);
    if (missing) {
      buffer.pull(block[0], block[1], missing, currentTime * 1000);
      this.level.hear(block, missing, buffer);
      resampler.write(block, missing);
    }
    resampler.read(output.length > 1 ? output : [output[0], output[0]], count, step);
  }

  #report() {
    const { buffer, level, resampler, unread } = this;
    const stream = buffer.stream;
    this.port.postMessage({
      level: level.take(),
      playing: buffer.playing,
      played: buffer.playedNow,
      channels: stream?.channels ?? 0,
      held_ms: buffer.held,
      target_ms: buffer.target,
      jitter_ms: buffer.jitter,
      resampler_ms: resampler ? (resampler.delay / stream.rate) * 1000 : 0,
      counts: { ...buffer.counts, unread },
    });
  }
}

/** How loud it was since the last report, and what most of it was: "sound", "muted", "gap" (something is missing), "none" yet. */
class Level {
  constructor() {
    this.#clear();
  }

  #clear() {
    Object.assign(this, { passed: 0, samples: 0, peaks: [0, 0], squares: [0, 0], kinds: { none: 0 } });
  }

  hear(block, count, buffer) {
    const kind = kindOf(buffer);
    this.samples += count;
    this.kinds[kind] = (this.kinds[kind] ?? 0) + count;
    block.forEach((samples, side) => {
      for (let n = 0; n < count; n += 1) {
        this.peaks[side] = Math.max(this.peaks[side], Math.abs(samples[n]));
        this.squares[side] += samples[n] ** 2;
      }
    });
  }

  take() {
    const { kinds } = this;
    const of = (side) => ({ peak: this.peaks[side], rms: this.samples ? Math.sqrt(this.squares[side] / this.samples) : 0 });
    const kind = Object.keys(kinds).reduce((most, one) => (kinds[one] > kinds[most] ? one : most));
    const taken = { kind, agent: of(0), customer: of(1) };
    this.#clear();
    return taken;
  }
}

function kindOf({ begun, playing, playedNow, concealer }) {
  if (!begun) return "none";
  if (!playing || concealer.running) return "gap";
  return playedNow?.muted ? "muted" : "sound";
}

registerProcessor("floorwatch-listen", Player);
