// One place on the deck: a call or an agent that this reader hears, heard, or means to hear.
//
// Phases: parked (on the deck, not heard), asking (the server was asked), starting, live, waiting (for the agent's next call, or
// for a connection that broke), lost (the page's own connection), refused, ended. Only starting, live, waiting and lost have an
// open listen.

import { api } from "/static/shared/api.js";
import { createListening } from "./soundbox.js";

const OPEN = ["asking", "starting", "live", "waiting", "lost"];

export class DeckItem {
  /** `target` = {site, follow: "call" | "agent", call_id, agent_id}; `changed()` is called after each change of it. */
  constructor(target, changed) {
    Object.assign(this, { target, changed, phase: "parked", reason: "", trouble: null, soundTrouble: "" });
    Object.assign(this, { listen: null, listening: null, purpose: "", mode: "listen", wantedMode: "", muted: "", stats: null, discarded: 0 });
    Object.assign(this, { heardAt: -Infinity, liveSince: null, spans: [], listeners: [], volumes: { agent: 1, customer: 1 }, silent: false, turn: 0 });
  }

  get key() {
    const { site, follow, call_id: call, agent_id: agent } = this.target;
    return `${follow}:${site}/${follow === "call" ? call : agent}`;
  }

  get isOpen() {
    return OPEN.includes(this.phase);
  }

  /** The call that is heard now, or that was heard last, as the feed's key; "" for an agent between calls. */
  get callKey() {
    const id = this.listen?.call_id || this.target.call_id;
    return id ? `${this.target.site}/${id}` : "";
  }

  get agentKey() {
    const id = this.listen?.agent_id || this.target.agent_id;
    return id ? `${this.target.site}/${id}` : "";
  }

  /** Begin to hear it. Resolves when the server has answered; what follows comes by the sound's own connection. */
  async hear(purpose) {
    if (this.isOpen) return;
    const mine = (this.turn += 1);
    this.#become("asking", { reason: "", trouble: null, soundTrouble: "", purpose, mode: "listen", stats: null, discarded: 0, muted: "", heardAt: performance.now() });
    const { site, follow, call_id: call, agent_id: agent } = this.target;
    const whom = follow === "call" ? { call_id: call } : { agent_id: agent };
    try {
      const listen = await api.post("/api/v1/listens", { site, ...whom, mode: "listen", purpose });
      if (mine !== this.turn) return void end(listen.listen_id); // parked before the server had answered
      this.listen = listen;
      this.#become(listen.state === "ended" ? "ended" : listen.state, { reason: listen.reason ?? "" });
      this.#connect(listen, mine);
    } catch (error) {
      if (error.name !== "ApiError") throw error;
      if (mine === this.turn) this.#become("refused", { trouble: error });
    }
  }

  #connect(listen, mine) {
    const renewPass = () => api.get(`/api/v1/listens/${listen.listen_id}/pass`);
    const listening = (this.listening = createListening({ audio: listen.audio, renewPass }));
    const take = (name, deed) => listening.on(name, (told) => mine === this.turn && deed(told ?? {}));
    take("state", (state) => this.#takeState(state));
    take("stats", (stats) => {
      this.stats = stats;
    });
    take("discarded", ({ total }) => {
      this.discarded = total ?? this.discarded;
    });
    take("ended", ({ reason }) => this.#over("ended", reason ?? ""));
    take("trouble", (trouble) => this.#takeTrouble(trouble));
    for (const [side, volume] of Object.entries(this.volumes)) listening.volume(side, volume);
    listening.mute(this.silent);
    listening.connect();
    this.changed();
  }

  #takeState({ state, reason = "", mode, muted = "", call_id: call, agent_id: agent, listeners }) {
    if (call !== undefined) this.listen = { ...this.listen, call_id: call, agent_id: agent || this.listen.agent_id };
    if (mode) this.mode = mode;
    if (mode && mode === this.wantedMode) this.wantedMode = "";
    if (listeners) this.listeners = listeners;
    this.#become(state, { reason, muted });
  }

  #takeTrouble({ kind = "", ...more }) {
    this.soundTrouble = kind;
    this.troubleMore = more;
    this.changed();
  }

  #become(phase, values = {}) {
    const live = phase === "live";
    if (live && this.liveSince === null) this.liveSince = Date.now();
    if (!live && this.liveSince !== null) {
      this.spans.push([this.liveSince, Date.now()]);
      this.liveSince = null;
    }
    Object.assign(this, { phase, ...values });
    this.changed();
  }

  /** Seconds for which it was heard here so far. */
  heardS() {
    const spans = this.liveSince === null ? this.spans : [...this.spans, [this.liveSince, Date.now()]];
    return spans.reduce((sum, [from, to]) => sum + to - from, 0) / 1000;
  }

  /** Hear it no longer; it stays on the deck. The listen ends: nobody is said to hear what they do not hear. */
  park() {
    if (this.isOpen) this.#over("parked", "");
  }

  #over(phase, reason) {
    const { listen, listening } = this;
    const wasOpen = this.isOpen && phase !== "ended";
    this.turn += 1;
    this.listening = null;
    this.#become(phase, { reason, muted: "", wantedMode: "", mode: "listen" });
    listening?.close();
    if (listen && wasOpen) end(listen.listen_id);
  }

  /** Whisper or barge, or only listen again. Raises ApiError. */
  async switchMode(mode) {
    const { listen } = this;
    if (!listen || !this.isOpen || mode === this.mode) return;
    this.wantedMode = mode;
    this.changed();
    try {
      const now = await api.patch(`/api/v1/listens/${listen.listen_id}`, { mode });
      if (this.listen?.listen_id === listen.listen_id && now?.mode) this.mode = now.mode;
    } finally {
      this.wantedMode = "";
      this.changed();
    }
  }

  mute(on) {
    this.silent = on;
    this.listening?.mute(on);
    this.changed();
  }

  volume(side, value) {
    this.volumes[side] = value;
    this.listening?.volume(side, value);
  }
}

/** Tell the server that it is over; whoever cannot be told finds out, because the sound's connection is closed. */
async function end(listenId) {
  try {
    await api.del(`/api/v1/listens/${listenId}`);
  } catch (error) {
    if (error.name !== "ApiError") throw error;
  }
}
