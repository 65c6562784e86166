// What this reader may do at each site: purposes, modes, whether at all now. Asked for once it matters, and again every minute.

import { api } from "/static/shared/api.js";
import { Asked } from "./asking.js";

const EVERY_MS = 60_000;

export class Policies {
  constructor(onChange) {
    Object.assign(this, { onChange, sites: new Map() });
  }

  /** The policy of a site, null until it is known. */
  of(site) {
    if (!site) return null;
    if (!this.sites.has(site)) {
      const ask = () => api.get(`/api/v1/listen-policy/${encodeURIComponent(site)}`);
      this.sites.set(site, new Asked(ask, { everyMs: EVERY_MS, onChange: this.onChange }).start());
    }
    return this.sites.get(site).value;
  }

  /** The modes that may be used there; while nothing is known only listening. */
  modes(site) {
    return this.of(site)?.modes ?? ["listen"];
  }
}
