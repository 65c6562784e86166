// The clock of a moment that is shown again: it stands, or runs at the speed of the playback. Asked like `SiteClocks`.

const BEFORE_PICTURE_MS = 3000; // how far it runs ahead of the last picture, at playing speed: then it waits for the next

export class PastClock {
  constructor() {
    this.set(NaN);
  }

  /** Go to `at` (milliseconds since 1970) and stand there, or run on from there `speed` times as fast as ours. */
  set(at, speed = 0, local = performance.now()) {
    Object.assign(this, { at, speed, local, drawn: at });
  }

  /** The picture of `at` is shown. */
  shown(at) {
    this.drawn = at;
  }

  now(_site, local = performance.now()) {
    const run = this.at + Math.max(0, local - this.local) * this.speed;
    return Math.min(run, Math.max(this.at, this.drawn) + BEFORE_PICTURE_MS * this.speed);
  }

  since(site, iso, local = performance.now()) {
    if (!iso) return null;
    const elapsed = (this.now(site, local) - new Date(iso).getTime()) / 1000;
    return Number.isNaN(elapsed) ? null : elapsed;
  }

  /** How old the data is means nothing of a moment that is over. */
  age() {
    return null;
  }

  stands() {
    return 0;
  }
}
