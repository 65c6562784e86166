// What this reader may do at each site: purposes, modes, whether at all now. Asked for once it matters, and again every minute.

import { api } from "/static/shared/api.js";
import { Asked } from "./asking.js";

const EVERY_MS = 60_000;

const meets = (wanted, has) => !wanted.length || wanted.some((one) => has.includes(one));

/** Whether a rule lets one hear `whom` = {team, queues, tags, purpose}; its hours are left to the server. */
function isAbout(rule, { team, queues, tags, purpose }) {
  return meets(rule.teams, [team]) && meets(rule.queues, queues) && meets(rule.tags, tags) && meets(rule.purposes, [purpose]);
}

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

  /** The modes that may be used there with somebody like that; while nothing is known only listening. */
  modes(site, whom) {
    const policy = this.of(site);
    if (!policy) return ["listen"];
    const rules = policy.rules ?? [];
    if (!rules.length) return policy.modes;
    const usable = rules.filter((rule) => isAbout(rule, whom));
    return policy.modes.filter((mode) => mode === "listen" || usable.some(({ modes }) => !modes.length || modes.includes(mode)));
  }
}
