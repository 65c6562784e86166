// A short sound, made here: two tones, the second lower. A browser plays nothing before somebody has touched the page.

const TONES = [
  { hz: 880, at: 0, s: 0.16 },
  { hz: 660, at: 0.2, s: 0.26 },
];
const ATTACK_S = 0.012; // so that it does not click
const SILENT = 0.0001;
const LOUDEST = 0.5;

let context = null;

/** The browser's sound output; null where it has none. */
function output() {
  if (context === null && typeof AudioContext === "function") context = new AudioContext();
  return context;
}

/** "running", "blocked" until somebody touches the page, or "missing" where the browser has no sound. */
export function soundState() {
  const audio = output();
  if (!audio) return "missing";
  return audio.state === "running" ? "running" : "blocked";
}

/** Ask the browser to let sounds through; call it in a click or a key press. Resolves to `soundState()`. */
export async function allowSound() {
  try {
    await output()?.resume();
  } catch {
    // still blocked, which the state tells
  }
  return soundState();
}

/** Play the alarm once at `volume` 0 to 1; false when the browser would not. */
export function playAlarm(volume) {
  const audio = output();
  if (!audio || audio.state !== "running") return false;
  for (const { hz, at, s } of TONES) {
    const begin = audio.currentTime + at;
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    tone.type = "sine";
    tone.frequency.setValueAtTime(hz, begin);
    loudness.gain.setValueAtTime(SILENT, begin);
    loudness.gain.exponentialRampToValueAtTime(Math.max(SILENT, volume * LOUDEST), begin + ATTACK_S);
    loudness.gain.exponentialRampToValueAtTime(SILENT, begin + s);
    tone.connect(loudness).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + s);
  }
  return true;
}

/** The first touch of the page lets sounds through; `listener(state)` hears of it. */
export function unblockAtTouch(listener) {
  const touched = async () => {
    if ((await allowSound()) !== "running") return;
    for (const event of ["pointerdown", "keydown"]) removeEventListener(event, touched, true);
    listener(soundState());
  };
  for (const event of ["pointerdown", "keydown"]) addEventListener(event, touched, true);
}
