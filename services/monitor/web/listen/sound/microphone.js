// The inspector's microphone: 20 ms frames of 8 kHz PCM to whoever takes them.

import { loadWorklet } from "./modules.js";
import { audioSupport, microphoneCode } from "./support.js";

const WANTED = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** Why there is no microphone: `code` is one of the `mic_…` of strings.js. */
export class MicrophoneRefused extends Error {
  constructor(code, cause) {
    super(code, { cause });
    Object.assign(this, { name: "MicrophoneRefused", code });
  }
}

export class Microphone {
  /** `onFrame(ArrayBuffer, peak)` fifty times a second; `onLost()` when the device went away. */
  constructor({ context, onFrame, onLost }) {
    Object.assign(this, { context, onFrame, onLost, stream: null });
  }

  /** Ask for it and begin. Rejects with MicrophoneRefused. */
  async start() {
    const lacking = audioSupport().microphone;
    if (lacking) throw new MicrophoneRefused(lacking);
    await loadWorklet(this.context, "micworklet.js").catch((error) => {
      throw new MicrophoneRefused("mic_failed", error);
    });
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: WANTED });
    } catch (error) {
      throw new MicrophoneRefused(microphoneCode(error), error);
    }
    this.stream.getAudioTracks()[0].addEventListener("ended", () => this.stream && this.onLost());
    this.source = this.context.createMediaStreamSource(this.stream);
    this.node = new AudioWorkletNode(this.context, "floorwatch-microphone", {
      channelCount: 1,
      channelCountMode: "explicit",
      numberOfOutputs: 1,
    });
    this.node.port.onmessage = ({ data }) => this.stream && this.onFrame(data.frame, data.peak);
    this.source.connect(this.node).connect(this.context.destination); // it puts out silence; unconnected it would not run
  }

  stop() {
    const { stream } = this;
    this.stream = null;
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop(); // the browser's red dot goes
    this.source.disconnect();
    this.node.disconnect();
    this.node.port.postMessage({ end: true });
  }
}
