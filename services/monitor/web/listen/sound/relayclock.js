// The relay's clock as seen from here: the answer that came back quickest tells it best.

const REMEMBERED = 20;

export class RelayClock {
  constructor() {
    this.forget();
  }

  forget() {
    this.asked = new Map();
    this.answers = [];
    this.number = 0;
  }

  /** The next question, asked at `now` (ms of performance.now()). */
  ask(now) {
    this.number += 1;
    this.asked.set(this.number, now);
    if (this.asked.size > REMEMBERED) this.asked.delete(this.asked.keys().next().value);
    return { type: "ping", n: this.number };
  }

  /** The answer {n, now_us} came at `now`. */
  hear({ n, now_us: theirs }, now) {
    const asked = this.asked.get(n);
    if (asked === undefined || typeof theirs !== "number") return;
    this.asked.delete(n);
    const roundTrip = now - asked;
    this.answers.push({ roundTrip, offset: theirs / 1000 - (asked + now) / 2 });
    if (this.answers.length > REMEMBERED) this.answers.shift();
  }

  get #best() {
    return this.answers.reduce((best, one) => (best === null || one.roundTrip < best.roundTrip ? one : best), null);
  }

  /** ms to add to performance.now() for the relay's time; null before an answer. */
  get offset() {
    return this.#best?.offset ?? null;
  }

  /** ms that the quickest question took, there and back: the offset is right within half of that. */
  get roundTrip() {
    return this.#best?.roundTrip ?? null;
  }
}
