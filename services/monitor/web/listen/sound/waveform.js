// The last minute as two lanes, agent above, customer below, now at the right. What was kept back is hatched, what is missing is a
// gap, and marks stand where something happened: each kind with its own shape, and its words where there is room.
//
//     const wave = new Waveform(root, listening);      // root: an empty element; styles: sound.css, words: strings.js
//     wave.add({ at: Date.parse(flag.since), kind: "flag", label: "slow transfer" });   // kinds: hold retrieve transfer flag note
//     wave.end();

import { h, setAttr } from "/static/shared/dom.js";
import { number } from "/static/shared/format.js";
import { language, onLanguage, t } from "/static/shared/i18n.js";
import { paint } from "./wavepaint.js";
import { WaveStore } from "./wavestore.js";

const TOLD_EVERY_MS = 2000;
const STEP_MS = 1000; // who wants less motion gets a picture a second
const MOST_TOLD = 5;
const COLOURS = ["agent", "customer", "line", "faint", "text", "ground", "hold", "retrieve", "transfer", "flag", "note"];

export class Waveform {
  constructor(root, listening) {
    Object.assign(this, { store: new WaveStore(), frame: null, drawn: -Infinity, told: -Infinity, over: null });
    this.canvas = h("canvas", { class: "wave-canvas", "aria-hidden": "true" });
    this.swatches = COLOURS.map((name) => h("i", { class: `wave-colour wave-colour-${name}` }));
    this.node = h("div", { class: "wave", role: "img" }, this.canvas, h("span", { class: "wave-colours", "aria-hidden": "true" }, this.swatches));
    root.append(this.node);
    this.less = matchMedia("(prefers-reduced-motion: reduce)");
    this.size = new ResizeObserver(() => this.#soon());
    this.size.observe(this.node);
    this.stops = [
      listening.on("level", (level) => this.#hear(level)),
      listening.on("state", ({ link }) => {
        if (link !== "closed" || this.over) return;
        this.over = Date.now();
        this.#say();
      }),
      onLanguage(() => this.#say()),
      onTheme(() => this.#anew()),
    ];
    this.#say();
  }

  /** A mark {at (ms since 1970, or an ISO text), kind, label}. */
  add({ at, kind, label }) {
    this.store.mark({ at: typeof at === "number" ? at : Date.parse(at), kind, label });
    this.told = -Infinity;
    this.#anew();
  }

  #hear(level) {
    this.store.add(level);
    if (level.at - this.told >= TOLD_EVERY_MS) this.#say();
    this.#soon();
  }

  /** Draw it also where nothing sounds and less motion is wanted. */
  #anew() {
    this.drawn = -Infinity;
    this.#soon();
  }

  #soon() {
    this.frame ??= requestAnimationFrame((now) => this.#draw(now));
  }

  #draw(now) {
    this.frame = null;
    const { canvas, node } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [Math.round(node.clientWidth * scale), Math.round(node.clientHeight * scale)];
    const resized = canvas.width !== width || canvas.height !== height;
    if (!resized && this.less.matches && now - this.drawn < STEP_MS) return;
    if (!width || !height) return;
    if (resized) Object.assign(canvas, { width, height });
    this.drawn = now;
    const colours = Object.fromEntries(this.swatches.map((swatch, n) => [COLOURS[n], getComputedStyle(swatch).color]));
    const words = {
      agent: t("sound.agent"),
      customer: t("sound.customer"),
      both: t("sound.both"),
      now: t(this.over === null ? "sound.wave.now" : "sound.wave.end"),
      held: t("sound.wave.held"),
      missing: t("sound.wave.missing"),
      ago: (n) => t("sound.wave.ago", { n }),
    };
    paint(canvas.getContext("2d"), { width, height, scale, store: this.store, now: this.now, colours, words, font: getComputedStyle(node).fontFamily });
  }

  /** The right edge. */
  get now() {
    return this.over ?? Date.now();
  }

  #say() {
    this.told = Date.now();
    setAttr(this.node, "aria-label", describe(this.store, this.now));
    this.#anew();
  }

  end() {
    for (const stop of this.stops) stop();
    cancelAnimationFrame(this.frame);
    this.size.disconnect();
    this.node.remove();
  }
}

/** What is on a canvas does not follow the theme by itself. Returns a function that stops it. */
function onTheme(listener) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = new MutationObserver(listener);
  dark.addEventListener("change", listener);
  chosen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => {
    dark.removeEventListener("change", listener);
    chosen.disconnect();
  };
}

function describe(store, now) {
  const sums = store.sums(now);
  const voice = (side) => t("sound.wave.voice", { who: t(side === "agent" ? "sound.agent" : "sound.customer"), n: number(sums[side]) });
  const ago = ({ at, label }) => t("sound.wave.mark", { label, n: number(Math.max(0, now - at) / 1000) });
  const marks = store.marks.slice(-MOST_TOLD).map(ago).join(language() === "zh-CN" ? "；" : "; ");
  return t("sound.wave.label", {
    agent: voice("agent"),
    customer: voice("customer"),
    muted: sums.muted ? t("sound.wave.muted", { n: number(sums.muted) }) : "",
    gaps: sums.gap >= 0.5 ? t("sound.wave.gaps", { n: number(sums.gap, 1) }) : "",
    marks: marks ? t("sound.wave.marks", { marks }) : "",
  });
}
