// Two level meters: agent left, customer right. Bars move with the picture; what a screen reader is told changes once a second at most.
//
//     const meters = new LevelMeters(root, listening);   // root: an empty element; styles: sound.css, words: strings.js
//     meters.end();

import { h, setAttr, setData, setText } from "/static/shared/dom.js";
import { number } from "/static/shared/format.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { FLOOR_DB, decibels, shareOf } from "./decibels.js";

const SIDES = ["agent", "customer"];
const TOLD_EVERY_MS = 1000;
const FALL_PER_S = 0.7; // of the whole scale
const PEAK_HELD_MS = 1200;
const LOUD_DB = -1;
const LOUD_SHOWN_MS = 2000;

export class LevelMeters {
  constructor(root, listening) {
    this.meters = SIDES.map((side) => new Meter(side));
    this.node = h("div", { class: "level-meters" }, this.meters.map(({ node }) => node));
    root.append(this.node);
    this.frame = null;
    this.stops = [listening.on("level", (level) => this.#hear(level)), listening.on("state", ({ link }) => link === "closed" && this.#hush()), onLanguage(() => this.#name())];
    this.#name();
  }

  #name() {
    for (const meter of this.meters) meter.name();
  }

  #hear(level) {
    const now = performance.now();
    for (const meter of this.meters) meter.hear(level, now);
    this.frame ??= requestAnimationFrame((at) => this.#draw(at));
  }

  #hush() {
    for (const meter of this.meters) meter.told = -Infinity;
    this.#hear({ kind: "none", channels: 0, agent: { peak: 0, rms: 0 }, customer: { peak: 0, rms: 0 } });
  }

  #draw(now) {
    this.frame = null;
    const moves = this.meters.map((meter) => meter.draw(now)).some(Boolean);
    if (moves) this.frame = requestAnimationFrame((at) => this.#draw(at));
  }

  end() {
    for (const stop of this.stops) stop();
    cancelAnimationFrame(this.frame);
    this.node.remove();
  }
}

class Meter {
  constructor(side) {
    Object.assign(this, { side, peak: 0, rms: 0, shown: 0, held: 0, heldAt: 0, told: -Infinity, loudAt: -Infinity, last: 0, channels: 2 });
    this.bar = h("span", { class: "meter-bar" });
    this.tick = h("span", { class: "meter-peak" });
    this.label = h("span", { class: "meter-name" });
    this.value = h("span", { class: "meter-value", "aria-hidden": "true" });
    this.track = h("span", { class: "meter-track", role: "meter", "aria-valuemin": FLOOR_DB, "aria-valuemax": 0, "aria-valuenow": FLOOR_DB }, this.bar, this.tick);
    this.node = h("div", { class: "meter", data: { side } }, this.label, this.track, this.value);
  }

  get who() {
    return t(this.side === "agent" ? "sound.agent" : "sound.customer");
  }

  name() {
    const where = t(this.side === "agent" ? "sound.left" : "sound.right");
    this.label.replaceChildren(h("span", { text: this.who }), h("span", { class: "meter-where", text: where }));
    setAttr(this.track, "aria-label", t("sound.meter", { who: this.who }));
    this.told = -Infinity;
  }

  hear(level, now) {
    const { peak, rms } = level[this.side];
    Object.assign(this, { peak, rms, kind: level.kind, channels: level.channels });
    if (decibels(peak) > LOUD_DB) this.loudAt = now;
    if (now - this.told >= TOLD_EVERY_MS) this.#tell(now);
  }

  #tell(now) {
    this.told = now;
    const db = Math.round(decibels(this.rms));
    const silent = db <= FLOOR_DB;
    const said = silent ? t("sound.meter.silent", { who: this.who }) : t("sound.meter.value", { who: this.who, db: number(db) });
    setAttr(this.track, "aria-valuenow", db);
    setAttr(this.track, "aria-valuetext", this.channels === 1 ? t("sound.meter.mixed", { who: this.who }) : said);
    const loud = now - this.loudAt < LOUD_SHOWN_MS;
    setData(this.node, "loud", loud ? "yes" : "");
    setText(this.value, loud ? t("sound.meter.loud") : silent ? "–" : `${number(db)} dB`);
  }

  /** One picture; whether the next will differ. */
  draw(now) {
    const passed = Math.min(0.1, Math.max(0, (now - this.last) / 1000));
    this.last = now;
    const level = shareOf(this.rms);
    const peak = shareOf(this.peak);
    this.shown = Math.max(level, this.shown - FALL_PER_S * passed);
    if (peak >= this.held) Object.assign(this, { held: peak, heldAt: now });
    else if (now - this.heldAt > PEAK_HELD_MS) this.held = Math.max(peak, this.held - FALL_PER_S * passed);
    this.bar.style.transform = `scaleX(${this.shown.toFixed(3)})`;
    this.tick.style.left = `${(this.held * 100).toFixed(1)}%`;
    this.tick.style.opacity = this.held > 0.01 ? "1" : "0";
    return this.shown > level || this.held > peak;
  }
}
