// What a screen needs that nobody touches: it stays awake, takes up a new version by itself, and burns nothing in.

import { recall, remember } from "/static/shared/storage.js";

const LOOK_MS = 10 * 60_000; // how often a quiet connection's server is asked for its version
const AT_MOST_MS = 5 * 60_000; // replicas of two versions side by side must not make a screen reload for ever
const SHIFT_MS = 90_000;

// Where the picture stands, in thousandths of the screen: a slow walk round, never twice the same neighbour.
const WALK = [[0, 0], [2, 1], [3, -1], [1, -3], [-1, -2], [-3, 0], [-2, 2], [0, 3]];

/** Move the picture a little now and then, so that no bright edge stands on the same spot for weeks. */
export function wander(stage) {
  let step = 0;
  const move = () => {
    const [x, y] = WALK[step % WALK.length];
    const thousandth = Math.min(window.innerWidth, window.innerHeight) / 1000;
    stage.style.transform = `translate(${Math.round(x * thousandth)}px, ${Math.round(y * thousandth)}px)`;
    step += 1;
  };
  move();
  setInterval(move, SHIFT_MS);
}

/** Ask the system to leave the screen on; again each time the page comes to the front, as the system forgets it then. */
export function stayAwake() {
  const ask = async () => {
    if (document.hidden) return;
    try {
      await navigator.wakeLock?.request("screen");
    } catch {
      // refused, on a low battery say: the screen's own settings decide
    }
  };
  document.addEventListener("visibilitychange", ask);
  ask();
}

/** Reloads the page once the server is of another version than the one that it came from. */
export class VersionWatch {
  constructor() {
    this.version = null;
    this.look();
    setInterval(() => this.look(), LOOK_MS);
  }

  /** Ask now: whenever the connection comes back, because that is when a server may have changed. */
  async look() {
    const version = await served();
    if (version === null) return;
    this.version ??= version;
    if (version !== this.version) reload();
  }
}

/** The server's version; null while it does not answer. */
async function served() {
  try {
    const response = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    return response.ok ? ((await response.json()).version ?? null) : null;
  } catch {
    return null;
  }
}

function reload() {
  const last = Number(recall("hall.reloaded", "0"));
  if (Date.now() - last < AT_MOST_MS) return;
  remember("hall.reloaded", String(Date.now()));
  location.reload();
}

/** Load the page anew after a while, but only from a server that is there: a browser's own error page never comes back. */
export function startOver(afterMs) {
  setTimeout(async () => {
    if ((await served()) !== null) location.reload();
    else startOver(afterMs);
  }, afterMs);
}
