// One listen in the page: the connection to the relay, and its sound in the browser.
//
//     const context = new AudioContext();                       // best made in the click that begins it; one for the page will do
//     const { audio, listen_id } = await api.post("/api/v1/listens", { … });
//     const listening = new Listening({ audio, renewPass: () => api.get(`/api/v1/listens/${listen_id}/pass`, {}, 2000), context });
//     listening.on("state", draw);
//     await listening.connect();                                // resolves once it tries; what goes wrong is told by events
//
// renewPass resolves to {url, pass}, or to {audio: {url, pass}}. `listening.close()` ends it here; the listen itself is ended at the
// monitor. `on(name, fn)` gives back a function that stops it:
//
//   state      {link, state, reason, mode, muted, speaking, fork_id, call_id, agent_id, channels, rate_hz, listeners}, also as
//              `listening.status`. link: idle connecting open lost closed; state: starting live waiting ended, the relay's word.
//              `muted` is why the relay passes nothing on ("hold"), "" when it does. speaking: the microphone reaches the switch.
//   level      at most 20 a second: {at (Date.now()), kind, channels, agent: {peak, rms}, customer: {peak, rms}, 0 to 1}. kind:
//              "sound", "muted", "gap" (sound is missing), "none" (nothing was to come). Of one channel both voices are in each.
//   stats      once a second: {latency_ms, network_ms, buffer_ms, target_ms, jitter_ms, output_ms, loss, received, lost, late, dropped,
//              concealed_ms, gaps, resyncs, discarded, relay}. null: cannot be known. latency_ms: from the relay's ear to here.
//              loss: share of the frames of the last ten seconds that did not come. relay: its own last `stats`.
//   discarded  {frames, total, where}: the relay did not send so many, for this page took them too slowly
//   trouble    {code, over, detail}: over true when it has passed; `listening.troubles` is a Set of those that last. Codes:
//              insecure no_audio no_worklet blocked lost silent too_slow no_pass mic_lost mic_choked; words: troubleWords(code)
//   ended      {reason, detail}: it is over and does not come back
//   microphone {on, peak}: it was switched on or off; peak 0 to 1, at most 20 a second

import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { Microphone } from "./microphone.js";
import { Outlet } from "./outlet.js";
import { Account } from "./account.js";
import { audioSupport } from "./support.js";

export { audioSupport, troubleWords } from "./support.js";
export { MicrophoneRefused } from "./microphone.js";

const LINK_TROUBLE = { silent: "silent", too_slow: "too_slow", no_pass: "no_pass" }; // others: "lost"
const MICROPHONE_EVERY_MS = 50;
const IDLE = {
  link: "idle",
  state: "starting",
  reason: "",
  mode: "listen",
  muted: "",
  speaking: false,
  fork_id: "",
  call_id: "",
  agent_id: "",
  channels: 0,
  rate_hz: 0,
  listeners: [],
};

export class Listening extends Emitter {
  constructor({ audio, renewPass, context }) {
    super();
    this.context = context;
    this.status = IDLE;
    this.troubles = new Set();
    this.connection = new Connection({ audio, renew: async () => unpacked(await renewPass()) });
    this.outlet = audioSupport().listen === null && context ? new Outlet(context) : null;
    this.account = new Account(this.connection.clock, this.outlet);
    this.device = null; // the microphone
    this.#wire();
  }

  #wire() {
    const { connection, outlet, account } = this;
    connection.on("frame", (frame) => outlet?.play(frame));
    connection.on("message", (message) => this.#hear(message));
    connection.on("link", (link) => this.#link(link));
    connection.on("over", (over) => this.#over(over));
    outlet?.on("report", (report) => {
      connection.look();
      account.take(report);
      const { level, channels } = report;
      this.emit("level", { ...level, channels, at: Date.now(), kind: this.#kind(level.kind) });
    });
    outlet?.on("blocked", (blocked) => this.#trouble("blocked", blocked));
  }

  /** Nothing is missing while nothing was to come. */
  #kind(kind) {
    if (this.status.muted) return "muted";
    return kind === "gap" && this.status.link === "open" && this.status.state !== "live" ? "none" : kind;
  }

  /** The worklet's node, left agent, right customer, before any volume; null until connect() resolved. */
  get node() {
    return this.outlet?.node ?? null;
  }

  async connect() {
    const lacking = audioSupport().listen;
    if (lacking) this.#trouble(lacking, true);
    this.connection.start(); // at once: the sound's way here takes longer than the worklet's
    try {
      await this.outlet?.start();
    } catch (error) {
      this.#trouble("no_worklet", true, error.message);
    }
  }

  close() {
    this.connection.stop();
    this.#silence();
    if (this.status.link !== "closed") this.#state({ link: "closed" });
  }

  #silence() {
    this.microphone(false);
    this.outlet?.end();
  }

  // ---------------------------------------------------------------- what is heard

  /** Hear nothing here, or again; the listen goes on. */
  mute(on) {
    this.outlet?.mute(on);
  }

  /** How loud, 0 to 1. */
  volume(side, value) {
    this.outlet?.volume(side, value);
  }

  /** Whom to hear. */
  select(side) {
    this.outlet?.select(side);
  }

  // ---------------------------------------------------------------- the microphone

  /** Switch it on or off; its frames go to the relay, which uses them while the mode is whisper or barge. Rejects with
   *  MicrophoneRefused, whose `code` has words. */
  async microphone(on) {
    if (!on) {
      this.wanted = null;
      this.device?.stop();
      if (this.device) this.emit("microphone", { on: false, peak: 0 });
      this.device = null;
      this.#trouble("mic_choked", false);
      return;
    }
    if (this.device || this.wanted) return;
    const device = new Microphone({
      context: this.context,
      onFrame: (frame, peak) => this.#speak(frame, peak),
      onLost: () => {
        this.microphone(false);
        this.#trouble("mic_lost", true);
      },
    });
    this.wanted = device;
    try {
      await device.start();
    } catch (error) {
      if (this.wanted === device) this.wanted = null;
      throw error;
    }
    if (this.wanted !== device) {
      device.stop(); // it was switched off again while the browser asked
      return;
    }
    Object.assign(this, { device, wanted: null, peak: 0, told: 0 });
    this.#trouble("mic_lost", false);
    this.emit("microphone", { on: true, peak: 0 });
  }

  #speak(frame, peak) {
    const sent = this.connection.speak(frame);
    this.#trouble("mic_choked", !sent && this.connection.open);
    this.peak = Math.max(this.peak, peak);
    const now = performance.now();
    if (now - this.told < MICROPHONE_EVERY_MS) return;
    this.emit("microphone", { on: true, peak: this.peak });
    Object.assign(this, { told: now, peak: 0 });
  }

  // ---------------------------------------------------------------- what the relay says

  #hear({ type, ...message }) {
    if (type === "state") {
      if (message.fork_id !== this.status.fork_id) this.outlet?.reset();
      this.#state(message);
    } else if (type === "discarded") {
      this.account.discarded(message);
      this.emit("discarded", message);
    } else if (type === "stats") {
      this.emit("stats", this.account.sum(message));
    }
  }

  #link({ state, reason, attempt }) {
    if (state === "lost") {
      this.outlet?.reset();
      const code = LINK_TROUBLE[reason] ?? "lost";
      for (const other of ["lost", ...Object.values(LINK_TROUBLE)]) this.#trouble(other, other === code, String(attempt));
    } else if (state === "open") {
      for (const code of ["lost", ...Object.values(LINK_TROUBLE)]) this.#trouble(code, false);
    }
    this.#state({ link: state });
  }

  #over({ reason, detail }) {
    this.#silence();
    for (const code of [...this.troubles]) this.#trouble(code, false);
    this.#state({ link: "closed", state: "ended", reason, speaking: false });
    this.emit("ended", { reason, detail });
  }

  #state(change) {
    this.status = { ...this.status, ...change };
    this.emit("state", this.status);
  }

  #trouble(code, on, detail = "") {
    if (this.troubles.has(code) === on) return;
    if (on) this.troubles.add(code);
    else this.troubles.delete(code);
    this.emit("trouble", { code, over: !on, detail });
  }
}

function unpacked(answer) {
  return answer.audio ?? answer;
}
