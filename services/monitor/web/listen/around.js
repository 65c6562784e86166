// What is around the calls and not on the feed: who listens to what, who claimed what, and whom this reader follows.

import { api } from "/static/shared/api.js";
import { prefs } from "/static/shared/prefs.js";
import { Asked } from "./asking.js";

const EVERY_MS = 2000;
const BELIEVED = 1; // failures in a row over which the last answer still counts
const NOBODY = Object.freeze([]);
const FOLLOWED = "listen.followed";
const MOST_FOLLOWED = 100;

export class Around {
  /** `board` tells the site's time; `onChange()` after each change. */
  constructor(board, onChange) {
    Object.assign(this, { board, onChange, byCall: new Map(), byAgent: new Map(), claims: new Map(), until: new Map() });
    const site = () => ({ site: board.site() });
    this.listens = new Asked(async () => (await api.get("/api/v1/listens", { ...site(), open: true, limit: 200 })).listens, { everyMs: EVERY_MS, onChange: () => this.#takeListens(), first: [] });
    this.claimed = new Asked(async () => (await api.get("/api/v1/claims", site())).claims, { everyMs: EVERY_MS, onChange: () => this.#takeClaims(), first: [] });
  }

  start() {
    this.listens.start();
    this.claimed.start();
  }

  /** What keeps the answers from coming, null when nothing does: an ApiError. */
  get trouble() {
    return this.listens.trouble ?? this.claimed.trouble;
  }

  #takeListens() {
    const before = this.byCall;
    this.byCall = new Map();
    this.byAgent = new Map();
    for (const listen of this.listens.value) {
      if (listen.state === "ended") continue;
      if (listen.call_id) add(this.byCall, `${listen.site}/${listen.call_id}`, listen);
      else if (listen.agent_id) add(this.byAgent, `${listen.site}/${listen.agent_id}`, listen);
    }
    for (const key of before.keys()) if (!this.byCall.has(key)) this.#over(key);
    for (const key of this.until.keys()) if (this.board.store.loaded && !this.board.store.calls.has(key)) this.until.delete(key);
    this.onChange();
  }

  /** Nobody hears this call any more: from now on it is alone again. */
  #over(key) {
    const now = this.board.clocks.now(key.split("/", 1)[0]);
    if (!Number.isNaN(now)) this.until.set(key, new Date(now).toISOString());
  }

  #takeClaims() {
    this.claims = new Map(this.claimed.value.map((claim) => [`${claim.site}/${claim.call_id}`, claim]));
    this.onChange();
  }

  /** Who hears the call, or waits for the agent's next one. While that cannot be asked nobody is said to: the switch's word is left. */
  listensOf(callKey, agentKey) {
    if (this.listens.failures > BELIEVED) return NOBODY;
    const [call, agent] = [this.byCall.get(callKey), this.byAgent.get(agentKey)];
    return call && agent ? [...call, ...agent] : (call ?? agent ?? NOBODY);
  }

  claimOf(callKey) {
    return this.claims.get(callKey) ?? null;
  }

  heardUntil(callKey) {
    return this.until.get(callKey) ?? null;
  }

  /** Take the call: others see it. Resolves to the claim; an ApiError 409 says who has it. */
  async claim(site, callId) {
    const claim = await api.post("/api/v1/claims", { site, call_id: callId });
    this.claims.set(`${site}/${callId}`, claim);
    this.onChange();
    this.claimed.now();
    return claim;
  }

  async release(site, callId) {
    this.claims.delete(`${site}/${callId}`);
    this.onChange();
    await api.del(`/api/v1/claims?${new URLSearchParams({ site, call_id: callId })}`);
    this.claimed.now();
  }

  // whom the reader follows

  get followed() {
    return prefs.get(FOLLOWED, []);
  }

  follows(agentKey) {
    return this.followed.includes(agentKey);
  }

  /** Follow an agent or, when it is followed, no longer. */
  toggleFollow(agentKey) {
    const rest = this.followed.filter((key) => key !== agentKey);
    prefs.set(FOLLOWED, rest.length < this.followed.length ? rest : [...rest, agentKey].slice(-MOST_FOLLOWED));
  }
}

function add(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}
