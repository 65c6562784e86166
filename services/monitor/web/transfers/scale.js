// The scale of the list's bars, the same for every line: up to the limit as it is, beyond it by its logarithm, so that 20 s, 90 s
// and five minutes differ and two seconds still have their legs.

import { fill, h, setAttr, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { SLOW_S } from "../transferfacts.js";

const LIMIT_AT = 0.5; // of the bar's width
const FULL_S = 300;
const MARKS = [0, SLOW_S, 20, 60, FULL_S];

/** Where a time, in seconds since the request, is on a bar: 0 to 1. */
export function placeOf(seconds) {
  if (!(seconds > 0)) return 0;
  if (seconds <= SLOW_S) return (LIMIT_AT * seconds) / SLOW_S;
  return Math.min(1, LIMIT_AT + (1 - LIMIT_AT) * (Math.log(seconds / SLOW_S) / Math.log(FULL_S / SLOW_S)));
}

/** Put a bar's piece where its stretch is. */
export function stretch(node, from, to) {
  const [left, right] = [placeOf(from), placeOf(to)];
  node.style.left = `${(left * 100).toFixed(2)}%`;
  node.style.width = `${((right - left) * 100).toFixed(2)}%`;
}

/** The line above a list that names the scale, for its bars' column. */
export function createScale() {
  const marks = MARKS.map((seconds) => {
    const mark = h("span", { class: "scale-mark", data: { limit: seconds === SLOW_S ? "yes" : "" } });
    mark.style.left = `${placeOf(seconds) * 100}%`;
    return mark;
  });
  const scale = h("span", { class: "scale-marks" });
  fill(scale, marks);
  return h("div", { class: "row-grid rows-scale", "aria-hidden": "true" }, scale);
}

export function drawScale(node) {
  setAttr(node, "title", t("desk.scale", { n: SLOW_S }));
  [...node.firstChild.children].forEach((mark, index) => setText(mark, index === 1 ? t("unit.seconds", { n: SLOW_S }) : MARKS[index]));
}
