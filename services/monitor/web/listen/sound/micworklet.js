// The microphone on its way out: whatever rate the browser works at becomes 8 kHz, 16 bits, in frames of 20 ms (320 bytes).

import { Resampler } from "./resample.js";

const RATE = 8000;
const FRAME = 160;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, RATE, 1);
    this.ended = false;
    this.#next();
    this.port.onmessage = ({ data }) => {
      if (data.end) this.ended = true;
    };
  }

  #next() {
    this.frame = new DataView(new ArrayBuffer(2 * FRAME));
    this.filled = 0;
    this.peak = 0;
  }

  process([input]) {
    const samples = input?.[0];
    if (samples?.length) {
      this.resampler.write([samples], samples.length);
      const ready = new Float32Array(this.resampler.ready());
      this.resampler.read([ready], ready.length);
      for (const sample of ready) this.#add(sample);
    }
    return !this.ended;
  }

  #add(sample) {
    const held = Math.max(-1, Math.min(1, sample));
    this.peak = Math.max(this.peak, Math.abs(held));
    this.frame.setInt16(2 * this.filled, Math.round(held * 32767), true);
    this.filled += 1;
    if (this.filled < FRAME) return;
    const { buffer } = this.frame;
    this.port.postMessage({ frame: buffer, peak: this.peak }, [buffer]);
    this.#next();
  }
}

registerProcessor("floorwatch-microphone", Microphone);
