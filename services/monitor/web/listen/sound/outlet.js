// Where the sound goes in the browser: the worklet, a volume for each side, the loudspeaker.
//
//     report    what the worklet posts, at most 20 a second
//     blocked   true: the browser plays nothing before somebody touched the page; false: it does

import { Emitter } from "./emitter.js";
import { loadWorklet } from "./modules.js";

const SMOOTH_S = 0.015; // a volume that jumps would click
const SIDES = ["agent", "customer"];
const HELD_BACK = 10; // frames that wait until the browser plays
const PATIENCE_MS = 500;

export class Outlet extends Emitter {
  constructor(context) {
    super();
    Object.assign(this, { context, node: null, waiting: [], muted: false, selected: "both", ended: false });
    this.volumes = { agent: 1, customer: 1 };
    this.gains = {};
    this.resume = () => context.state !== "running" && context.resume().catch(() => {}); // still blocked, which `changed` tells
    this.changed = () => this.#changed();
  }

  /** Rejects when the browser cannot load the worklet. */
  async start() {
    const { context } = this;
    context.addEventListener("statechange", this.changed);
    for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, this.resume, true);
    this.resume();
    setTimeout(this.changed, PATIENCE_MS); // where it may play it does so by then
    await loadWorklet(context, "worklet.js");
    if (!this.ended) this.#build();
  }

  #build() {
    const { context } = this;
    this.node = new AudioWorkletNode(context, "floorwatch-listen", { numberOfInputs: 0, outputChannelCount: [2] });
    this.node.port.onmessage = ({ data }) => this.ended || this.emit("report", data);
    const apart = context.createChannelSplitter(2);
    this.output = context.createChannelMerger(2);
    this.node.connect(apart);
    SIDES.forEach((side, channel) => {
      const gain = context.createGain();
      gain.gain.value = this.#loudness(side);
      this.gains[side] = gain;
      apart.connect(gain, channel);
      gain.connect(this.output, 0, channel);
    });
    this.output.connect(context.destination);
    this.#flush();
  }

  /** A frame {bytes, arrived}. While the browser plays nothing the newest few are kept, to begin with. */
  play(frame) {
    if (this.ended) return;
    this.waiting.push(frame);
    if (this.waiting.length > HELD_BACK) this.waiting.shift();
    this.#flush();
  }

  #flush() {
    if (this.node === null || this.context.state !== "running") return;
    for (const { bytes, arrived } of this.waiting) this.node.port.postMessage({ frame: bytes, arrived }, [bytes]);
    this.waiting = [];
  }

  /** What comes next is another stream. */
  reset() {
    this.waiting = [];
    this.node?.port.postMessage({ reset: true });
  }

  end() {
    this.ended = true;
    this.waiting = [];
    this.context.removeEventListener("statechange", this.changed);
    for (const touch of ["pointerdown", "keydown"]) removeEventListener(touch, this.resume, true);
    this.node?.port.postMessage({ end: true });
    this.output?.disconnect();
    this.node?.disconnect();
  }

  mute(on) {
    this.muted = Boolean(on);
    this.#set();
  }

  volume(side, value) {
    const held = Math.min(1, Math.max(0, Number(value) || 0));
    for (const one of side === "both" ? SIDES : [side]) this.volumes[one] = held;
    this.#set();
  }

  select(side) {
    this.selected = side;
    this.#set();
  }

  #loudness(side) {
    const heard = this.selected === "both" || this.selected === side;
    return this.muted || !heard ? 0 : this.volumes[side];
  }

  #set() {
    for (const [side, { gain }] of Object.entries(this.gains)) {
      gain.setTargetAtTime(this.#loudness(side), this.context.currentTime, SMOOTH_S);
    }
  }

  #changed() {
    if (this.ended) return;
    const blocked = this.context.state !== "running";
    if (!blocked && this.blocked) this.node?.port.postMessage({ reset: true }); // what it still has is old
    this.blocked = blocked;
    if (!blocked) this.#flush();
    this.emit("blocked", blocked);
  }

  /** ms from the worklet's output to the ear as far as the browser knows; null when it does not. */
  get latencyMs() {
    const { outputLatency, baseLatency } = this.context;
    if (!outputLatency) return null;
    return Math.max(outputLatency, baseLatency ?? 0) * 1000;
  }
}
