// What a browser must have for sound, and how what it lacks or refuses is told. Each code has its words in strings.js.

import { t } from "/static/shared/i18n.js";

/**
 * {listen, microphone}: null where it works, else why not.
 * listen: "insecure" (a page that came by http from another machine gets no sound worklets), "no_audio", "no_worklet"
 * microphone: "mic_insecure", "mic_missing_api"
 */
export function audioSupport() {
  return { listen: hearing(), microphone: speaking() };
}

function hearing() {
  if (typeof AudioContext !== "function") return "no_audio";
  if (!("audioWorklet" in AudioContext.prototype) && !("audioWorklet" in BaseAudioContext.prototype)) {
    return isSecureContext ? "no_worklet" : "insecure";
  }
  return null;
}

function speaking() {
  if (!navigator.mediaDevices?.getUserMedia) return isSecureContext ? "mic_missing_api" : "mic_insecure";
  return hearing() === null ? null : "mic_missing_api";
}

/** A refusal of the microphone as a code. */
export function microphoneCode(error) {
  const codes = {
    NotAllowedError: "mic_denied",
    SecurityError: "mic_denied",
    NotFoundError: "mic_none",
    OverconstrainedError: "mic_none",
    NotReadableError: "mic_busy",
    AbortError: "mic_busy",
  };
  return codes[error.name] ?? "mic_failed";
}

/** {title, hint} of a code in the reader's language: what is wrong, and what to do. */
export function troubleWords(code) {
  return { title: t(`sound.trouble.${code}`), hint: t(`sound.trouble.${code}.hint`) };
}
