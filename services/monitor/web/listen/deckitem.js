// One place on the deck: a call or an agent that this reader hears, heard, or means to hear.
//
// Phases: parked (on the deck, not heard), asking (the server was asked), starting, live, waiting (for the agent's next call, or
// for a connection that broke), lost (the page's own connection), refused, ended. Only asking, starting, live, waiting and lost
// have an open listen.

import { api } from "/static/shared/api.js";
import { createListening } from "./soundbox.js";

const PASS_PATIENCE_MS = 2000; // the listen waits 15 s for its page, and kept connections may be as dead as the one that was lost
const OPEN = ["asking", "starting", "live", "waiting", "lost"];
const FELL_BACK = ["transferred", "agent_left", "mode_failed"]; // why one only listens again
const MOST_MARKS = 60;

export class DeckItem {
  /** `target` = {site, follow: "call" | "agent", call_id, agent_id}; `changed()` is called after each change of it. */
  constructor(target, changed) {
    Object.assign(this, { target, changed, phase: "parked", reason: "", trouble: null, troubles: new Set(), turn: 0 });
    Object.assign(this, { listen: null, listening: null, purpose: "", mode: "listen", wantedMode: "", muted: "", speaking: false, stats: null });
    Object.assign(this, { heardAt: -Infinity, startedMs: null, endedMs: null, liveSince: null, spans: [], listeners: [], marks: [] });
    Object.assign(this, { volumes: { agent: 1, customer: 1 }, side: "both", silent: false, microphone: "off", microphonePeak: 0 });
    this.gone = false; // its call is not on the board any more
    this.fell = false; // one only listens again, and nothing else says so
  }

  get key() {
    return keyOf(this.target);
  }

  get isOpen() {
    return OPEN.includes(this.phase);
  }

  /** There is nothing left to hear: the call is over, and nobody follows its agent. */
  get isOver() {
    return this.gone && !this.isOpen;
  }

  /** The phase to show: a call that ended while it was on the deck is over, too. */
  get shownPhase() {
    return this.isOver ? "ended" : this.phase;
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
    this.troubles = new Set();
    this.#become("asking", { reason: "", trouble: null, purpose, mode: "listen", toldMode: "listen", stats: null, muted: "", fell: false, listeners: [], heardAt: performance.now() });
    const { site, follow, call_id: call, agent_id: agent } = this.target;
    const whom = follow === "call" ? { call_id: call } : { agent_id: agent };
    try {
      const listen = await ask({ site, ...whom, mode: "listen", purpose });
      if (mine !== this.turn) return void end(listen.listen_id); // parked before the server had answered
      Object.assign(this, { listen, startedMs: listen.goesOn ? Math.min(Date.now(), Date.parse(listen.started_at)) : Date.now(), endedMs: null, purpose: listen.purpose });
      this.#become(listen.state, { reason: listen.reason });
      if (listen.audio) this.#connect(listen, mine);
    } catch (error) {
      if (error.name !== "ApiError") throw error;
      if (mine === this.turn) this.#become("refused", { trouble: error });
    }
  }

  #connect(listen, mine) {
    const renewPass = () => api.get(`/api/v1/listens/${listen.listen_id}/pass`, {}, PASS_PATIENCE_MS);
    const listening = (this.listening = createListening({ audio: listen.audio, renewPass }));
    const take = (name, deed) => listening.on(name, (told) => mine === this.turn && deed(told));
    take("state", (state) => this.#takeState(state));
    take("stats", (stats) => (this.stats = stats));
    take("ended", ({ reason, detail }) => this.#over("ended", reason, detail));
    take("microphone", ({ on, peak }) => {
      Object.assign(this, { microphonePeak: peak, ...(on ? { microphone: "on" } : this.microphone === "on" ? { microphone: "off" } : {}) });
    });
    take("trouble", () => {
      this.troubles = new Set(listening.troubles);
      this.changed();
    });
    for (const [side, volume] of Object.entries(this.volumes)) listening.volume(side, volume);
    listening.select(this.side);
    listening.mute(this.silent);
    listening.connect();
    this.changed();
  }

  #takeState({ link, state, reason, mode, muted, speaking, call_id: call, agent_id: agent, listeners }) {
    if (link === "idle" || link === "closed") return;
    if (call || agent) this.listen = { ...this.listen, call_id: call, agent_id: agent || this.listen.agent_id };
    if (mode !== this.toldMode || (mode === "listen" && FELL_BACK.includes(reason))) {
      this.fell = mode === "listen" && this.mode !== "listen" && this.wantedMode !== "listen" && !FELL_BACK.includes(reason);
      this.mode = mode; // what is told again meanwhile is older than what the monitor has just answered
      if (mode === "listen") this.#hush(); // nobody speaks on into a microphone that leads nowhere
    }
    const phase = link === "lost" ? "lost" : state;
    this.#become(phase, { reason: link === "lost" ? "" : reason, toldMode: mode, muted, speaking: speaking && link !== "lost", listeners });
  }

  #become(phase, values = {}) {
    Object.assign(this, { phase, ...values });
    const live = phase === "live" && !this.muted; // what is kept back is not heard
    if (live && this.liveSince === null) this.liveSince = Date.now();
    if (!live && this.liveSince !== null) {
      this.spans.push([this.liveSince, Date.now()]);
      this.liveSince = null;
    }
    this.changed();
  }

  /** Seconds for which it was heard here so far. */
  heardS() {
    const spans = this.liveSince === null ? this.spans : [...this.spans, [this.liveSince, Date.now()]];
    return spans.reduce((sum, [from, to]) => sum + to - from, 0) / 1000;
  }

  /** Seconds into the listen, which stand still at its end; null when it was never heard. */
  atS() {
    return this.startedMs === null ? null : ((this.endedMs ?? Date.now()) - this.startedMs) / 1000;
  }

  /** Something happened at this moment: {at (ms), kind, label}. */
  mark(mark) {
    this.marks = [...this.marks, mark].slice(-MOST_MARKS);
  }

  /** Hear it no longer; it stays on the deck. The listen ends: nobody is said to hear what they do not hear. */
  park() {
    if (this.isOpen) this.#over("parked", "");
  }

  #over(phase, reason, detail = "") {
    const { listen, listening } = this;
    const wasOpen = this.isOpen && phase !== "ended";
    this.turn += 1;
    this.listening = null;
    this.#become(phase, { reason, detail, muted: "", wantedMode: "", mode: "listen", speaking: false, microphone: "off", endedMs: Date.now(), troubles: new Set() });
    listening?.close();
    if (listen && wasOpen) end(listen.listen_id);
  }

  /**
   * Whisper or barge, or only listen again. To speak the microphone is asked for first. Raises ApiError, or MicrophoneRefused
   * whose `code` says why.
   */
  async switchMode(mode) {
    const { listen, listening, turn } = this;
    if (!listening || mode === this.mode) return;
    Object.assign(this, { wantedMode: mode, fell: false });
    this.changed();
    try {
      if (mode !== "listen") await this.#openMicrophone();
      if (turn !== this.turn) return;
      const { mode: now } = await api.patch(`/api/v1/listens/${listen.listen_id}`, { mode });
      if (turn === this.turn) this.mode = now;
    } catch (error) {
      if (turn === this.turn && this.mode === "listen") this.#hush();
      throw error;
    } finally {
      if (turn === this.turn) {
        this.wantedMode = "";
        if (this.mode === "listen") this.#hush();
      }
      this.changed();
    }
  }

  async #openMicrophone() {
    if (this.microphone === "on") return;
    this.microphone = "asking";
    this.changed();
    try {
      await this.listening.microphone(true);
    } catch (error) {
      this.microphone = error.code ?? "mic_failed";
      throw error;
    }
  }

  #hush() {
    this.listening?.microphone(false);
    if (["on", "asking"].includes(this.microphone)) this.microphone = "off";
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

  select(side) {
    this.side = side;
    this.listening?.select(side);
    this.changed();
  }
}

/** The name of a target: the same call, or the same agent, is one place on the deck. */
export function keyOf({ site, follow, call_id: call, agent_id: agent }) {
  return `${follow}:${site}/${follow === "call" ? call : agent}`;
}

/** A new listen; where this reader hears the very same in another window, that one goes on here. */
async function ask(wish) {
  try {
    return await api.post("/api/v1/listens", wish);
  } catch (error) {
    const already = error.name === "ApiError" && error.status === 409 && error.problem.listen_id;
    if (!already) throw error;
    const path = `/api/v1/listens/${encodeURIComponent(already)}`;
    const [listen, audio] = await Promise.all([api.get(path), api.get(`${path}/pass`)]);
    return { ...listen, audio, goesOn: true };
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
