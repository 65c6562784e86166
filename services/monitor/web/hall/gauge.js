// A figure with its label and its distance to the limit, in words and as a bar.

import { h, setData, setHidden, setText } from "/static/shared/dom.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { fit, isTooLong, pattern } from "./fit.js";

const SMALLER = [1, 0.9, 0.8, 0.7, 0.6, 0.5];

/** The parts of a gauge, its `node` among them; without `bar` it has none. Longer than `room` the figure is written smaller. */
export function gauge(name, { room, bar = true }) {
  const parts = {
    room,
    value: h("span", { class: "gauge-value" }),
    label: h("span", { class: "gauge-label" }),
    shape: h("span", {}, icon("warning")),
    text: h("span"),
    fill: h("span", { class: "bar-fill" }),
    limit: h("span", { class: "bar-limit" }),
  };
  parts.gap = h("span", { class: "gauge-gap" }, parts.shape, parts.text);
  parts.bar = bar && h("span", { class: "bar", "aria-hidden": "true" }, parts.fill, parts.limit);
  parts.node = h("div", { class: `gauge gauge-${name}` }, parts.label, parts.value, parts.gap, parts.bar);
  return parts;
}

/** A label is as wide as its words, whatever there is room for. */
function goesBeyond(label, node) {
  return label.getBoundingClientRect().right > node.getBoundingClientRect().right + 1;
}

/** Draw a gauge; `otherwise` is said where there is no distance. */
export function drawGauge(parts, shown, gap, otherwise = "") {
  setText(parts.value, shown);
  setData(parts.node, "long", shown.length > parts.room ? "yes" : "");
  setData(parts.node, "tone", gap.level);
  setText(parts.text, gap.text || otherwise);
  setHidden(parts.shape, !gap.level);
  if (gap.level) setIcon(parts.shape.firstChild, gap.level);
  setData(parts.gap, "quiet", gap.text ? "" : "yes");
  if (!parts.bar) return;
  parts.fill.style.transform = `scaleX(${gap.fill})`;
  setHidden(parts.limit, gap.limit === null);
  parts.limit.style.left = `${(gap.limit ?? 0) * 100}%`;
}

/** Make the words fit; `room`: what the tile's size depends on. A label has `labels` to choose from, or stays as it is. */
export function fitGauge({ node, label, labels, value, gap, text, shape }, room) {
  const key = `${room} ${value.textContent.length} ${shape.hidden}`;
  fit(value, key, SMALLER, { cut: isTooLong });
  if (labels) fit(label, `${key} ${labels[0]}`, labels, { set: setText, cut: () => goesBeyond(label, node) });
  fit(gap, `${key} ${pattern(text.textContent)}`, SMALLER, { cut: isTooLong });
}
