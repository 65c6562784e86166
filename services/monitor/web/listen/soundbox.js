// The page's one sound output: every listen plays there, and it waits for the first touch of the page.

import { Listening } from "./sound/player.js";

let context = null;

/** The browser's sound output; null where it has none. */
function output() {
  if (context === null && typeof AudioContext === "function") context = new AudioContext({ latencyHint: "interactive" });
  return context;
}

/** Ask the browser to let sound through; call it in a click or a key press. */
export function unlockAudio() {
  output()?.resume().catch(() => {}); // still blocked, which the player says
}

export function createListening({ audio, renewPass }) {
  return new Listening({ audio, renewPass, context: output() });
}
