// One page's connection to the relay: comes back by itself with a fresh pass until the listen is over, says within two seconds
// when nothing comes any more, and knows the relay's clock.
//
//     frame {bytes, arrived}      one frame of sound, `arrived` by performance.now()
//     message {type, …}           what the relay says as text
//     link {state, reason, attempt}   "connecting", "open", "lost" (and trying again)
//     over {reason, detail}       it will not come back: the relay's or the monitor's word, or `taken_over`, `no_such_listen`

import { Emitter } from "./emitter.js";
import { RelayClock } from "./relayclock.js";

const SILENT_MS = 1500; // the relay says something every second, sound comes fifty times in one
const OPENING_MS = 5000;
const WATCHED_MS = 500; // a hidden page gets a second; then the beats of sound watch too
const LOOKED_MS = 1000; // a page that stood still for longer than this has not looked: what came waits to be read
const WAITS_MS = [200, 500, 1000, 1000, 2000];
const FIRST_QUESTIONS = 5; // one after the other: the quickest answer tells the relay's time best
const MOST_UNSENT = 3200; // bytes: 200 ms of a microphone
const OVER = { 4404: "no_such_listen", 4410: "ended", 4508: "taken_over" };
const NOT_FOR_GOOD = [0, 401, 408, 421, 429]; // of what the monitor may answer; other refusals are its last word

export class Connection extends Emitter {
  /** `renew()` resolves to a fresh {url, pass}. */
  constructor({ audio, renew }) {
    super();
    Object.assign(this, { audio, renew, clock: new RelayClock(), socket: null, attempt: 0, quiet: 0, looked: 0, open: false });
    this.stopped = true;
    this.ending = null; // what the relay said before it closed
    this.tries = 0;
    this.hurry = () => !document.hidden && this.#hurry();
  }

  start() {
    this.stopped = false;
    this.watch = setInterval(() => this.look(), WATCHED_MS);
    addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    this.emit("link", { state: "connecting", reason: "", attempt: 0 });
    this.#connect(this.audio);
  }

  stop() {
    this.stopped = true;
    this.open = false;
    this.tries += 1;
    clearInterval(this.watch);
    clearTimeout(this.retry);
    removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    this.#drop(1000);
  }

  /** Send a frame of the microphone; false when it could not go at once: late speech is worse than none. */
  speak(bytes) {
    if (!this.open || this.socket.bufferedAmount > MOST_UNSENT) return false;
    this.socket.send(bytes);
    return true;
  }

  /** Whether something came lately. Also called with the beats of sound, which a hidden page keeps. */
  look() {
    if (!this.socket) return;
    const now = performance.now();
    this.quiet += Math.min(now - this.looked, LOOKED_MS);
    this.looked = now;
    if (this.quiet >= (this.open ? SILENT_MS : OPENING_MS)) this.#lost("silent");
  }

  #connect({ url, pass }) {
    this.retry = null;
    const address = new URL(url, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.searchParams.set("ticket", pass);
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    Object.assign(this, { socket, quiet: 0, looked: performance.now(), ending: null });
    this.clock.forget();
    socket.onmessage = ({ data }) => socket === this.socket && this.#hear(data);
    socket.onclose = ({ code }) => socket === this.socket && this.#closed(code);
  }

  #hear(data) {
    const arrived = performance.now();
    Object.assign(this, { quiet: 0, looked: arrived });
    if (typeof data !== "string") {
      this.emit("frame", { bytes: data, arrived });
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "hello") this.#greeted();
    else if (message.type === "pong") this.#answered(message, arrived);
    else if (message.type === "stats") this.#ask();
    else if (message.type === "ended") this.ending = message;
    this.emit("message", message);
  }

  #greeted() {
    this.open = true;
    this.attempt = 0;
    this.emit("link", { state: "open", reason: "", attempt: 0 });
    this.#ask();
  }

  #answered(message, arrived) {
    this.clock.hear(message, arrived);
    if (message.n < FIRST_QUESTIONS) this.#ask();
  }

  #ask() {
    this.socket.send(JSON.stringify(this.clock.ask(performance.now())));
  }

  #closed(code) {
    if (this.ending) this.#over(this.ending.reason || "ended");
    else if (code in OVER) this.#over(OVER[code]);
    else this.#lost(code === 4503 ? "too_slow" : code === 4501 ? "relay_ends" : "closed");
  }

  #over(reason, detail = "") {
    this.stop();
    this.emit("over", { reason, detail });
  }

  #lost(reason) {
    this.#drop();
    this.open = false;
    // shortened at random: pages that lost the same relay do not all ask for a pass at once
    const wait = WAITS_MS[Math.min(this.attempt, WAITS_MS.length - 1)] * (0.5 + Math.random() / 2);
    this.attempt += 1;
    this.emit("link", { state: "lost", reason, attempt: this.attempt, retry_ms: wait });
    this.retry = setTimeout(() => this.#again(), wait);
  }

  #drop(code) {
    const { socket } = this;
    this.socket = null;
    socket?.close(code);
  }

  async #again() {
    clearTimeout(this.retry);
    this.retry = null;
    const mine = (this.tries += 1);
    let audio;
    try {
      audio = await this.renew();
    } catch (error) {
      if (mine !== this.tries) return;
      const { status = 0 } = error;
      if (status >= 500 || NOT_FOR_GOOD.includes(status)) this.#lost("no_pass");
      else this.#over("refused", error.detail || error.title || error.message);
      return;
    }
    if (mine === this.tries) this.#connect(audio);
  }

  #hurry() {
    if (!this.stopped && this.retry) this.#again();
  }
}
