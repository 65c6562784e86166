// Staying connected: the services' WebSocket feeds, and polling for pages that have none.
//
// States told to `onState({state, since, retryAt, attempt, reason})`; `since` and `retryAt` are Date.now() milliseconds, and
// a feed is lost since its last message:
//   connecting  never connected yet        live      messages arrive
//   lost        was live, trying again     refused   the server said not to come back

import { api, signIn } from "./api.js";

const SILENCE_MS = 2500; // the server speaks at least once a second; a page must own up within three
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
const TICKET_PATIENCE_MS = 4000;
const BACK_SOON_MS = 1000;
const GOING_AWAY = 4501; // what it says besides is for programs: the page comes back, in whatever language it is
const REFUSALS = { 401: 4401, 403: 4403 }; // what HTTP says, as the feed's close codes say it

/** A single-use ticket for the feed behind `url`; "" where the server has none to give. */
async function ticketFor(url) {
  try {
    const path = new URL("tickets", new URL(url, location.href)).pathname;
    return (await api.post(path, undefined, TICKET_PATIENCE_MS)).ticket;
  } catch (error) {
    if (error.status === 404 || error.status === 405) return "";
    throw error;
  }
}

/** An `onState` for `take`. A line that is back within a second was never gone: no banner flashes, no tile greys. */
export function patiently(take) {
  let waiting = null;
  return function hear(state) {
    clearTimeout(waiting);
    const left = state.state === "lost" ? state.since + BACK_SOON_MS - Date.now() : 0;
    if (left > 0) waiting = setTimeout(hear, left, state);
    else take(state);
  };
}

/** A snapshot comes in parts of a size that blocks nobody; the page wants the whole. */
export class SnapshotParts {
  constructor() {
    this.forget();
  }

  forget() {
    this.whole = null;
    this.held = [];
  }

  /** What can be told after `message`: nothing while a snapshot is under way, then that and what came meanwhile. */
  take(message) {
    if (message.type === "snapshot") return this.#add(message);
    if (this.whole === null) return [message];
    if (message.type === "delta") {
      this.held.push(message);
      return [];
    }
    return [{ ...message, position: undefined }]; // of the time before the snapshot
  }

  #add(message) {
    const { part = 1, parts = 1, floor } = message;
    if (part === 1) {
      this.whole = { ...message, floor };
      this.held = [];
    } else {
      for (const [name, views] of Object.entries(floor)) for (const view of views) this.whole.floor[name].push(view);
    }
    if (part < parts) return [];
    const { whole, held } = this;
    this.forget();
    return [whole, ...held.filter((delta) => delta.position > whole.position)];
  }
}

/** Delays between attempts: doubling up to five seconds, each shortened at random so that boards do not knock at once. */
export class BackOff {
  constructor(first = FIRST_WAIT_MS, longest = LONGEST_WAIT_MS, random = Math.random) {
    Object.assign(this, { first, longest, random, attempt: 0 });
  }

  next() {
    const full = Math.min(this.longest, this.first * 2 ** this.attempt);
    this.attempt += 1;
    return full * (0.5 + this.random() / 2);
  }

  reset() {
    this.attempt = 0;
  }
}

class Connection {
  constructor(onState) {
    this.onState = onState;
    this.status = { state: "connecting", since: Date.now(), retryAt: null, attempt: 0, reason: "" };
  }

  tell(state, { since = Date.now(), ...extra } = {}) {
    const from = state === this.status.state ? this.status.since : since;
    this.status = { state, since: from, retryAt: null, attempt: 0, reason: "", ...extra };
    this.onState(this.status);
  }
}

/**
 * A WebSocket that comes back by itself: a ticket for each connection, a wait that doubles between attempts, and a line on which
 * nothing is heard for long is taken for dead. `onMessage` gets every message, parsed; the first one of a connection is its
 * greeting, and with it the page is live.
 */
export class SocketClient extends Connection {
  constructor({ url = "/api/v1/feed", onMessage, onState = () => {} }) {
    super(onState);
    Object.assign(this, { url, onMessage });
    this.backOff = new BackOff();
    this.heard = 0;
    this.socket = null;
    this.retry = null;
    this.tries = 0; // attempts to connect; an answer that belongs to an older one is nobody's
    this.stopped = false;
    this.hurry = () => document.hidden || this.#hurry();
  }

  start() {
    this.stopped = false;
    this.watch = setInterval(() => this.#listen(), 250);
    window.addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    this.#open();
    return this;
  }

  stop() {
    this.stopped = true;
    this.tries += 1;
    clearInterval(this.watch);
    clearTimeout(this.retry);
    window.removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    this.socket?.close(1000);
    this.socket = null;
  }

  /** A socket was made that has said nothing yet. */
  connected() {}

  /** A message came. */
  hear(message) {
    this.arrived();
    this.onMessage(message);
  }

  /** What the page shows is of now. */
  arrived() {
    this.backOff.reset();
    if (this.status.state !== "live") this.tell("live");
  }

  async #open() {
    clearTimeout(this.retry);
    this.retry = null;
    const mine = (this.tries += 1);
    this.heard = performance.now();
    let ticket;
    try {
      ticket = await ticketFor(this.url);
    } catch (error) {
      if (mine === this.tries) this.#closed(REFUSALS[error.status] ?? 0, error.status ? error.title : "");
      return;
    }
    if (mine === this.tries) this.#connect(ticket);
  }

  #connect(ticket) {
    const address = new URL(this.url, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    if (ticket) address.searchParams.set("ticket", ticket);
    const socket = new WebSocket(address);
    this.socket = socket;
    this.connected();
    this.heard = performance.now();
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.heard = performance.now();
      this.hear(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      // a ticket is good only where it was given: another instance was asked for it, and whoever is out is told when asking
      const elsewhere = ticket && code === REFUSALS[401];
      if (socket === this.socket) this.#closed(elsewhere ? 0 : code, code === GOING_AWAY ? "" : reason);
    };
  }

  /** A line that went silent is dead, also when nobody closed it: a pulled cable tells nothing. */
  #listen() {
    if (this.socket && performance.now() - this.heard >= SILENCE_MS) {
      const silent = this.socket;
      this.#closed(0, "");
      silent.close();
    }
  }

  #closed(code, reason) {
    this.socket = null;
    if (this.stopped) return;
    if (code >= 4000 && code < 4500) {
      this.tell("refused", { code, reason: reason || String(code) });
      clearInterval(this.watch);
      return;
    }
    const wait = this.backOff.next();
    const never = this.status.state === "connecting";
    const since = Date.now() - (performance.now() - this.heard);
    const { attempt } = this.backOff;
    this.tell(never ? "connecting" : "lost", { since, reason, attempt, retryAt: Date.now() + wait });
    this.retry = setTimeout(() => this.#open(), wait);
  }

  /** The network came back or somebody looks at the page again: do not sit out the wait. */
  #hurry() {
    if (!this.stopped && this.retry !== null) this.#open();
  }
}

/**
 * The monitor's feed. Remembers epoch and position, resumes after a break, and falls back to a fresh snapshot when the
 * server says so. `channels` ["queues", "agents", "calls", "flags", "site"] and `filter` {sites, teams, queues, agents: […]}
 * narrow it; left out: everything. `onMessage` gets snapshot (whole, however many parts it came in), delta, resumed and
 * clock messages, in order.
 */
export class FeedClient extends SocketClient {
  constructor({ channels, filter, ...how }) {
    super(how);
    Object.assign(this, { channels, filter });
    this.epoch = null;
    this.position = null;
    this.parts = new SnapshotParts();
  }

  /** Ask for something else; a snapshot of that follows. */
  subscribe({ channels, filter }) {
    Object.assign(this, { channels, filter, epoch: null, position: null });
    this.parts.forget();
    if (this.greeted) this.#ask();
  }

  connected() {
    this.greeted = false;
    this.parts.forget();
  }

  #ask() {
    const { epoch, position, channels, filter } = this;
    const message = epoch === null ? { type: "subscribe" } : { type: "resume", epoch, position };
    this.socket.send(JSON.stringify({ ...message, channels, filter })); // what is undefined is not sent
  }

  hear(message) {
    if (message.type === "hello") {
      this.greeted = true;
      this.hello = message;
      this.#ask();
    } else {
      for (const one of this.parts.take(message)) this.#tell(one);
    }
  }

  #tell(message) {
    if (message.epoch !== undefined) Object.assign(this, { epoch: message.epoch, position: message.position });
    else if (this.epoch !== null && message.position > this.position) this.position = message.position; // a clock's, too
    if (message.type === "snapshot" || message.type === "resumed") {
      this.backOff.reset();
      this.tell("live");
    }
    this.onMessage(message);
  }
}

/**
 * JSON from `url` again and again, each request after the last one ended. `onData(value, response)` gets every answer.
 * Returns {stop, now}: `now()` asks at once.
 */
export function poll(url, { everyMs = 2000, onData, onState = () => {} }) {
  const connection = new Connection(onState);
  const backOff = new BackOff(everyMs / 2, 10_000);
  let timer = null;
  let abort = null;

  async function ask() {
    clearTimeout(timer);
    abort?.abort();
    const mine = (abort = new AbortController());
    try {
      const signal = AbortSignal.any([mine.signal, AbortSignal.timeout(10_000)]);
      const response = await fetch(typeof url === "function" ? url() : url, { signal, cache: "no-store" });
      if (response.status === 401) signIn();
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      const value = await response.json();
      if (mine.signal.aborted) return;
      backOff.reset();
      connection.tell("live");
      onData(value, response);
      timer = setTimeout(ask, everyMs);
    } catch (error) {
      if (mine.signal.aborted) return;
      const wait = backOff.next();
      const state = connection.status.state === "connecting" ? "connecting" : "lost";
      connection.tell(state, { reason: error.message, attempt: backOff.attempt, retryAt: Date.now() + wait });
      timer = setTimeout(ask, wait);
    }
  }

  ask();
  return {
    now: ask,
    stop() {
      clearTimeout(timer);
      abort?.abort();
    },
  };
}
