// The buffer that makes frames that come unevenly into sound that flows: no clock, no audio, no page in here.
//
// Frame n of a stream belongs at n × 20 ms. The fastest frame of the last seconds tells where the stream is now; what is played
// is `target` behind it, 60 to 180 ms, as much as 95 of 100 frames are late lately. With the frame itself that is at most 200 ms.
//   a frame is missing     its time is concealed, the next one is played when it is due
//   nothing is there       concealed; what comes within 100 ms goes on where it was, and the delay is taken back little by little
//   nothing for longer     a gap: the stream is taken up anew, `target` behind what comes then; what is older is dropped
//   more than 220 ms wait  what is too old is dropped at once, with a short cross-fade
// Small errors, such as two clocks that run differently, are made good by playing up to 1 % faster or slower (`correction`).

import { Concealer } from "./conceal.js";
import { Spread } from "./spread.js";

export const MIN_TARGET_MS = 60;
export const MAX_HELD_MS = 200;

const MARGIN_MS = 10;
const CONCEALED_MS = 100; // the longest that is bridged; after that it is a gap
const CROSS_FADE_MS = 8;
const LOWERED_MS_PER_S = 20;
const JUDGED_EVERY = 10; // frames
const TOLERATED_MS = 5;
const FULL_CORRECTION_MS = 20;
const MOST_CORRECTION = 0.01;
const SKIPPED_WHEN_QUIET_MS = 40;
const MOST_FRAMES = 50; // that wait while nobody pulls
const ANEW = 50; // a number that is so far behind is that of another stream,
const FAR = 1500; // or so far ahead: 30 s

export class JitterBuffer {
  constructor() {
    this.counts = { received: 0, lost: 0, late: 0, dropped: 0, concealed_ms: 0, gaps: 0, resyncs: 0 };
    this.target = MIN_TARGET_MS;
    this.stream = null; // {rate, length, channels, frame_ms}
    this.reset();
  }

  /** The next frame begins another stream. What is heard just now fades. */
  reset() {
    this.frames = new Map();
    this.newest = -1;
    this.fresh = true; // no frame of this stream came yet
    this.position = 0; // the sample that is played next
    this.playing = false;
    this.begun = false; // something was played
    this.fastest = Infinity; // since the stream was taken up
    this.stalled = 0; // samples concealed because nothing was there
    this.spread = new Spread();
    this.error = 0; // ms that we are behind where we want to be
    this.playedNow = null;
  }

  /** A frame of `readFrame` came, `now` ms by the clock that plays. */
  push(frame, now) {
    this.counts.received += 1;
    this.#follow(frame);
    if (!this.#number(frame.seq)) return;
    frame.pushed = now;
    this.frames.set(frame.seq, frame);
    const delay = now - frame.seq * this.stream.frame_ms;
    if (this.playing) this.spread.add(delay);
    else this.fastest = Math.min(this.fastest, delay); // a burst after a gap says nothing of how evenly frames come
    if (this.playing && this.stalled) this.counts.late += 1;
    if (this.counts.received % JUDGED_EVERY === 0) this.#judge();
    if (this.frames.size > MOST_FRAMES) this.#forget(Math.min(...this.frames.keys()) + 1, true);
  }

  #follow({ seq, rate, length, channels }) {
    const { stream } = this;
    const same = stream && stream.rate === rate && stream.length === length;
    if (same && !this.fresh && seq > this.newest - ANEW && seq < this.newest + FAR) {
      stream.channels = channels;
      return;
    }
    this.reset();
    if (!same) Object.assign(this, { concealer: new Concealer(rate), tail: null, covered: false });
    this.stream = { rate, length, channels, frame_ms: (length / rate) * 1000 };
    if (!same) this.crossFade = Math.round((CROSS_FADE_MS * rate) / 1000);
    this.newest = seq - 1;
    this.fresh = false;
  }

  /** Whether the frame of this number is still of use. */
  #number(seq) {
    if (seq > this.newest) {
      this.counts.lost += seq - this.newest - 1;
      this.newest = seq;
      return true;
    }
    if (this.frames.has(seq) || seq * this.stream.length < this.position) {
      this.counts.late += 1;
      return false;
    }
    this.counts.lost -= 1; // it had been missed
    return true;
  }

  #judge() {
    const usual = this.spread.usual();
    if (usual === null) return;
    const most = MAX_HELD_MS - this.stream.frame_ms;
    const wanted = Math.min(most, Math.max(MIN_TARGET_MS, usual + MARGIN_MS));
    const lowest = this.target - (LOWERED_MS_PER_S * JUDGED_EVERY * this.stream.frame_ms) / 1000;
    this.target = Math.max(wanted, lowest);
  }

  /** Fill `count` samples of `left` and `right` at the stream's own rate; the first is played at `now`. */
  pull(left, right, count, now) {
    this.#steer(now);
    for (let done = 0; done < count; ) {
      this.moment = now + (done / this.stream.rate) * 1000;
      done += this.#emit(left, right, done, count - done);
    }
  }

  /** How much faster (above 0) or slower to play: -0.01 to 0.01. */
  get correction() {
    const over = Math.abs(this.error) - TOLERATED_MS;
    if (!this.playing || over <= 0) return 0;
    return Math.sign(this.error) * Math.min(1, over / FULL_CORRECTION_MS) * MOST_CORRECTION;
  }

  /** ms of sound that wait, gaps in it included. */
  get held() {
    if (!this.stream || this.newest < 0) return 0;
    const first = this.playing ? this.position : Math.min(this.newest + 1, ...this.frames.keys()) * this.stream.length;
    return Math.max(0, (((this.newest + 1) * this.stream.length - first) / this.stream.rate) * 1000);
  }

  /** How uneven frames come: ms that 95 of 100 stay under, null while that is not known. */
  get jitter() {
    return this.spread.usual();
  }

  #steer(now) {
    const wanted = this.#sample(now - this.target - (this.playing ? this.spread.fastest : this.fastest));
    if (!this.playing) {
      this.#begin(wanted);
      return;
    }
    if (this.position >= (this.newest + 1) * this.stream.length) return;
    this.error = ((wanted - this.position) / this.stream.rate) * 1000;
    const { frame_ms: frameMs, length } = this.stream;
    if (this.held > MAX_HELD_MS + frameMs) {
      const end = (this.newest + 1) * length;
      const within = end - this.#sample(this.target + frameMs);
      this.#jump(wanted < end ? Math.max(wanted, within) : within);
    } else if (this.error > SKIPPED_WHEN_QUIET_MS) {
      this.#skipQuiet();
    }
  }

  #sample(ms) {
    return Math.round((ms * this.stream.rate) / 1000);
  }

  #begin(wanted) {
    if (!this.frames.size) return;
    const first = Math.min(...this.frames.keys()) * this.stream.length;
    if (!(wanted >= first)) return;
    const little = wanted - first <= this.#sample(MIN_TARGET_MS) && this.held <= MAX_HELD_MS;
    this.#fade();
    this.spread.restart();
    this.spread.add(this.fastest);
    this.playing = true;
    this.begun = true;
    this.stalled = 0;
    this.error = 0;
    this.position = little ? first : wanted; // a little is taken back unheard
    this.#forget(Math.floor(this.position / this.stream.length), true);
  }

  /** Go on at `position` instead. */
  #jump(position) {
    this.counts.resyncs += 1;
    this.#fade();
    this.position = position;
    this.error = 0;
    this.#forget(Math.floor(position / this.stream.length), true);
  }

  /** Leave out a frame in which nobody speaks: the delay shrinks and nobody hears it. */
  #skipQuiet() {
    const number = Math.floor(this.position / this.stream.length);
    if (!this.frames.get(number)?.quiet || !this.frames.get(number + 1)?.quiet) return;
    this.#fade();
    this.position += this.stream.length;
    this.error -= this.stream.frame_ms;
    this.#forget(number + 1, false);
  }

  /** Let what would have come next go out under what comes instead. */
  #fade() {
    const tail = { left: new Float32Array(this.crossFade), right: new Float32Array(this.crossFade), at: 0 };
    const real = this.playing && !this.concealer.running;
    for (let done = 0; done < this.crossFade; ) {
      const frame = real ? this.#at(this.position + done) : undefined;
      const from = (this.position + done) % this.stream.length;
      const count = frame ? Math.min(this.crossFade - done, this.stream.length - from) : this.crossFade - done;
      if (frame) copy(frame, from, tail.left, tail.right, done, count);
      else this.concealer.make(tail.left, tail.right, done, count);
      done += count;
    }
    this.#fadeUnder(tail);
    this.covered = true;
  }

  /** `tail` goes out from now on; with it goes one that still does. */
  #fadeUnder(tail) {
    if (this.tail) this.#mix(tail.left, tail.right, 0, this.crossFade);
    this.tail = tail;
  }

  #at(position) {
    return this.frames.get(Math.floor(position / this.stream.length));
  }

  #forget(before, dropped) {
    for (const number of this.frames.keys()) {
      if (number >= before) continue;
      this.frames.delete(number);
      if (dropped) this.counts.dropped += 1;
    }
  }

  /** Write up to `most` samples; how many. */
  #emit(left, right, from, most) {
    const { length } = this.stream;
    const frame = this.playing ? this.#at(this.position) : undefined;
    const offset = this.position % length;
    const known = this.playing && this.position < (this.newest + 1) * length;
    const count = known ? Math.min(most, length - offset) : most;
    if (frame) {
      this.#play(frame, offset, left, right, from, count);
    } else {
      this.concealer.make(left, right, from, count);
      this.#miss(known, count);
    }
    this.#mix(left, right, from, count);
    if (frame) this.concealer.heard(left, right, from, count);
    this.covered = false;
    if (known) this.position += count;
    if (frame && offset + count === length) this.frames.delete(frame.seq);
    return count;
  }

  #play(frame, offset, left, right, from, count) {
    if (this.concealer.running && !this.covered) this.#fadeConcealed();
    this.stalled = 0;
    if (offset === 0 || this.playedNow === null) {
      this.playedNow = { ...describe(frame), waited_ms: this.moment - frame.pushed - (offset / this.stream.rate) * 1000 };
    }
    copy(frame, offset, left, right, from, count);
  }

  #fadeConcealed() {
    const tail = { left: new Float32Array(this.crossFade), right: new Float32Array(this.crossFade), at: 0 };
    this.concealer.make(tail.left, tail.right, 0, this.crossFade);
    this.#fadeUnder(tail);
  }

  #miss(known, count) {
    if (!this.playing) return;
    const ms = (count / this.stream.rate) * 1000;
    this.counts.concealed_ms += ms;
    if (known) return;
    this.stalled += count;
    if ((this.stalled / this.stream.rate) * 1000 < CONCEALED_MS) return;
    this.counts.gaps += 1;
    this.playing = false;
    this.stalled = 0;
    this.fastest = Infinity;
    this.playedNow = null;
  }

  #mix(left, right, from, count) {
    const { tail, crossFade } = this;
    if (!tail) return;
    const last = Math.min(count, crossFade - tail.at);
    for (let n = 0; n < last; n += 1, tail.at += 1) {
      const share = (tail.at + 0.5) / crossFade;
      left[from + n] = left[from + n] * share + tail.left[tail.at] * (1 - share);
      right[from + n] = right[from + n] * share + tail.right[tail.at] * (1 - share);
    }
    if (tail.at >= crossFade) this.tail = null;
  }
}

function describe({ seq, capturedUs, arrived, muted }) {
  return { seq, capturedUs, arrived, muted };
}

function copy(frame, offset, left, right, from, count) {
  left.set(frame.left.subarray(offset, offset + count), from);
  right.set(frame.right.subarray(offset, offset + count), from);
}
