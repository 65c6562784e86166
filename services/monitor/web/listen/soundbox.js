// The page's one way to sound: makes what plays a listen, on one audio output for all of them.

import { Listening } from "./stub.js";

let context = null;

/** The browser's sound output; null where it has none. */
export function audioContext() {
  if (context === null && typeof AudioContext === "function") context = new AudioContext({ latencyHint: "interactive" });
  return context;
}

/** Ask the browser to let sound through; call it in a click or a key press. */
export function unlockAudio() {
  audioContext()?.resume().catch(() => {}); // still blocked, which the player says
}

export function createListening({ audio, renewPass }) {
  return new Listening({ audio, renewPass, context: audioContext() });
}
