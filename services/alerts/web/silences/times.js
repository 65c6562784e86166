// When a silence begins and how long it lasts: presets for what is usual, the site's clock on the wall for everything else.

import { fill, h, setAttr, setHidden } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { serverNow } from "../time.js";
import { hereZone, instantOf, wallTime } from "./zonetime.js";

const PRESETS_S = [1800, 3600, 7200, 14400, 28800, 86400, 604800];
const LONGEST_S = 31 * 86400;

export class Times {
  constructor({ onChange }) {
    Object.assign(this, { onChange, zone: hereZone(), duration: 7200, later: false, until: false });
    this.presets = h("div", { class: "segments presets", role: "group", "aria-label": t("times.duration") });
    this.start = h("input", { class: "input", type: "datetime-local", max: "9999-12-31T23:59" });
    this.end = h("input", { class: "input", type: "datetime-local", max: "9999-12-31T23:59" });
    this.startField = h("label", { class: "field" }, h("span", { text: t("times.starts") }), this.start);
    this.endField = h("label", { class: "field" }, h("span", { text: t("times.ends") }), this.end);
    this.words = h("p", { class: "muted small" });
    this.node = h("div", { class: "stack" }, h("span", { class: "field" }, h("span", { text: t("times.duration") }), this.presets), h("div", { class: "times-two" }, this.startField, this.endField), this.words);
    for (const input of [this.start, this.end]) input.addEventListener("input", () => this.#changed());
    this.draw();
  }

  /** A window is planned, a silence begins at once. */
  setLater(later) {
    this.later = later;
    if (later && !this.start.value) this.start.value = wallTime(serverNow() + 3_600_000, this.zone);
    this.draw();
  }

  setZone(zone) {
    if (zone === this.zone) return;
    for (const input of [this.start, this.end]) {
      const at = instantOf(input.value, this.zone);
      if (at) input.value = wallTime(at, zone);
    }
    this.zone = zone;
    this.draw();
  }

  /** {starts?, ends? | duration_s?} as the API takes it. */
  values() {
    const starts = this.later ? instantOf(this.start.value, this.zone) : null;
    const when = starts ? { starts } : {};
    if (this.until) return { ...when, ends: instantOf(this.end.value, this.zone) };
    return { ...when, duration_s: this.duration };
  }

  /** [input, key of the words] of what is wrong, or null. */
  wrong() {
    const { starts, ends } = this.values();
    if (this.later && !starts) return [this.start, "times.wrong.start"];
    if (!this.until) return null;
    if (!ends) return [this.end, "times.wrong.end"];
    const from = starts ? Date.parse(starts) : serverNow();
    if (Date.parse(ends) <= serverNow()) return [this.end, "times.wrong.past"];
    if (Date.parse(ends) <= from) return [this.end, "times.wrong.order"];
    return Date.parse(ends) - from > LONGEST_S * 1000 ? [this.end, "times.wrong.long"] : null;
  }

  #changed() {
    for (const input of [this.start, this.end]) setAttr(input, "aria-invalid", null);
    this.#say();
    this.onChange();
  }

  #choose(seconds) {
    this.until = seconds === null;
    if (seconds !== null) this.duration = seconds;
    else if (!this.end.value) this.end.value = wallTime(this.#from() + this.duration * 1000, this.zone);
    this.draw();
    this.onChange();
    if (this.until) this.end.focus();
  }

  #from() {
    const { starts } = this.values();
    return starts ? Date.parse(starts) : serverNow();
  }

  draw() {
    const button = (value, text) =>
      h("button", { type: "button", "aria-pressed": String(this.until ? value === null : value === this.duration), text, on: { click: () => this.#choose(value) } });
    fill(this.presets, PRESETS_S.map((seconds) => button(seconds, spanText(seconds))), button(null, t("times.until")));
    setHidden(this.startField, !this.later);
    setHidden(this.endField, !this.until);
    this.#say();
  }

  #say() {
    const { ends, duration_s: span } = this.values();
    const end = span ? this.#from() + span * 1000 : ends && Date.parse(ends);
    this.words.textContent = `${end ? t("times.says", { time: dateTime(end, this.zone) }) : ""} ${t("times.zone", { zone: this.zone })}`.trim();
  }
}

export function spanText(seconds) {
  if (seconds < 3600) return t("span.minutes", { n: seconds / 60 });
  if (seconds < 86400) return t("span.hours", { n: seconds / 3600 });
  return t("span.days", { n: seconds / 86400 });
}
