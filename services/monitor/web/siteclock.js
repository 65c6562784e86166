// The switch's clock, as the page knows it: the last clock message, run on by our own clock at the site's speed.

const RUN_ON_MS = 2500; // without word from the site its clock stands still: what is shown is then the last that is known
const JUMP_MS = 1500; // a larger difference is a step (a seek, a corrected clock), not jitter of the network

export class SiteClocks {
  constructor() {
    this.sites = new Map();
  }

  reset() {
    this.sites.clear();
  }

  /** Take a site's time, `ageS` seconds (ours) old, at `local` = performance.now(); true for a site's first. */
  hear(site, now, speed, ageS, local) {
    const heard = now ? new Date(now).getTime() : NaN;
    const known = this.sites.get(site);
    if (Number.isNaN(heard) || known?.heard === heard) return false;
    const moved = local - ageS * 1000;
    const offset = heard - moved * speed;
    const step = !known || known.speed !== speed || Math.abs(offset - known.offset) > JUMP_MS * Math.max(1, speed);
    // The message that travelled fastest is the most right; slower ones may only pull the clock back gently.
    const smooth = step || offset > known.offset ? offset : known.offset + (offset - known.offset) * 0.1;
    this.sites.set(site, { heard, speed, offset: smooth, moved });
    return !known;
  }

  /** The site's time now in milliseconds since 1970; NaN when it has never been told. */
  now(site, local = performance.now()) {
    const known = this.sites.get(site);
    if (!known) return NaN;
    return known.offset + Math.min(local, known.moved + RUN_ON_MS) * known.speed;
  }

  /** Seconds of ours since the site's clock last moved; null when it never did. */
  age(site, local = performance.now()) {
    const known = this.sites.get(site);
    return known ? Math.max(0, local - known.moved) / 1000 : null;
  }

  /** Seconds of ours for which the site's time, as `now` tells it, has stood still. */
  stands(site, local = performance.now()) {
    const known = this.sites.get(site);
    return known ? Math.max(0, local - known.moved - RUN_ON_MS) / 1000 : 0;
  }

  /** Seconds on the site's clock since `iso`; null when either is not known. */
  since(site, iso, local = performance.now()) {
    if (!iso) return null;
    const elapsed = (this.now(site, local) - new Date(iso).getTime()) / 1000;
    return Number.isNaN(elapsed) ? null : elapsed;
  }
}
