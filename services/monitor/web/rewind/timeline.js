// The time line: a slider over what is kept, with the hours below it.

import { fill, h, setAttr } from "/static/shared/dom.js";
import { clock, clockMinutes } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";

const KEYS = { ArrowLeft: -10, ArrowDown: -10, ArrowRight: 10, ArrowUp: 10, PageDown: -300, PageUp: 300 };
const MOST_TICKS = 12;
const TICK_STEPS_S = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600];

export class TimeLine {
  /** `onMove(at, settled)`: the reader wants that moment (ms); `settled` false while they are still dragging. */
  constructor(onMove) {
    Object.assign(this, { onMove, from: 0, to: 1, at: 0, zone: undefined, drawn: "" });
    this.input = h("input", {
      class: "rewind-range",
      type: "range",
      step: "1",
      on: {
        input: () => this.onMove(Number(this.input.value) * 1000, false),
        change: () => this.onMove(Number(this.input.value) * 1000, true),
        keydown: (event) => this.#key(event),
      },
    });
    this.ticks = h("div", { class: "rewind-ticks", "aria-hidden": "true" });
    this.flags = [];
    this.marks = h("div", { class: "rewind-flags", "aria-hidden": "true" });
    this.node = h("div", { class: "rewind-line" }, this.marks, this.input, this.ticks);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = KEYS[event.key];
    const ends = { Home: this.from, End: this.to }[event.key];
    if (step === undefined && ends === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.onMove(ends ?? this.at + step * 1000, true);
  }

  /** What can be chosen, in ms, in which zone it is told, and the flags raised: [{at (ms), severity}], in order. */
  reach(from, to, zone, flags = []) {
    Object.assign(this, { from, to, zone, flags });
    this.input.min = Math.floor(from / 1000);
    this.input.max = Math.ceil(to / 1000);
    this.#drawTicks();
    this.show(this.at);
  }

  show(at) {
    this.at = at;
    this.input.value = Math.round(at / 1000);
    setAttr(this.input, "aria-label", t("rewind.line"));
    setAttr(this.input, "aria-valuetext", clock(at, this.zone));
    setAttr(this.input, "title", t("rewind.line.hint"));
    const share = (at - this.from) / Math.max(1, this.to - this.from);
    this.node.style.setProperty("--share", Math.min(1, Math.max(0, share)).toFixed(4));
  }

  #drawTicks() {
    const length = (this.to - this.from) / 1000;
    const step = TICK_STEPS_S.find((one) => length / one <= MOST_TICKS) ?? TICK_STEPS_S.at(-1);
    const written = `${Math.round(this.from / 1000)}|${Math.round(length)}|${step}|${this.zone}|${this.flags.length}|${this.flags.at(-1)?.at}`;
    if (written === this.drawn) return;
    this.drawn = written;
    const marks = [];
    for (let at = Math.ceil(this.from / 1000 / step) * step; at * 1000 <= this.to; at += step) {
      const mark = h("span", { class: "rewind-tick" }, h("span", {}, clockMinutes(at * 1000, this.zone)));
      this.#put(mark, at * 1000);
      marks.push(mark);
    }
    fill(this.ticks, marks);
    fill(
      this.marks,
      this.flags
        .filter(({ at }) => at >= this.from && at <= this.to)
        .map(({ at, severity }) => this.#put(h("span", { class: "rewind-flag", data: { severity } }), at)),
    );
  }

  #put(node, at) {
    node.style.left = `${((100 * (at - this.from)) / (this.to - this.from)).toFixed(3)}%`;
    return node;
  }
}
