// The chart of a queue's day: what was offered, answered and abandoned as bars, the service level below as a line of its own.
// Plain SVG: its colours follow the theme by themselves, its fills differ in pattern, and it is text to a screen reader.

import { NO_DATA, clockMinutes, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { levelOfStretch, scaleFor } from "./intervals.js";

const SVG = "http://www.w3.org/2000/svg";
const HOUR_MS = 60 * 60_000;
const [WIDTH, LEFT, RIGHT] = [560, 38, 56]; // in units of the drawing, which grows with the drawer
const BARS = { top: 10, bottom: 150 };
const LEVEL = { top: 176, bottom: 250 };
const HEIGHT = 270;
const MOST_HOURS = 10; // as many labels as fit below the axis

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, String(value));
  node.append(...children.filter((child) => child !== null));
  return node;
}

const line = (x1, y1, x2, y2, name) => svg("line", { x1, y1, x2, y2, class: name });
const label = (x, y, text, anchor = "middle", name = "chart-label") => svg("text", { x, y, "text-anchor": anchor, class: name }, text);
const bar = (x, width, y, bottom, name, fill = null) =>
  svg("rect", { x: round(x), y: round(y), width: round(Math.max(0.5, width)), height: round(Math.max(0, bottom - y)), class: name, fill });
const round = (value) => Math.round(value * 10) / 10;

/** Stripes, told apart from plain fills without any colour. */
function stripes(id, name) {
  const attributes = { id, width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  return svg("pattern", attributes, svg("rect", { width: 4, height: 4, class: `${name}-ground` }), svg("rect", { width: 1.8, height: 4, class: name }));
}

export class IntervalChart {
  /** `onPoint(slot | null)`: the pointer is over that slot. */
  constructor({ onPoint }) {
    this.onPoint = onPoint;
    this.node = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "interval-chart", role: "img" });
    this.node.addEventListener("pointermove", (event) => this.#point(event));
    this.node.addEventListener("pointerleave", () => this.#mark(null));
  }

  /** Draw `found` = slotsOf(day), by the queue's `target` = {formula, target, …}, with times in `zone`. */
  draw(found, target, zone) {
    Object.assign(this, { found, x: (at) => LEFT + ((at - found.from) / (found.to - found.from)) * (WIDTH - LEFT - RIGHT) });
    this.cursor = svg("rect", { y: BARS.top, height: LEVEL.bottom - BARS.top, class: "chart-cursor", width: 0 });
    const defs = svg("defs", {}, stripes("chart-abandoned", "chart-stripe"), stripes("chart-uncounted", "chart-faint"));
    this.node.setAttribute("aria-label", describe(found, target, zone));
    this.node.replaceChildren(defs, this.cursor, ...this.#uncounted(), ...this.#bars(), ...this.#hours(zone), ...this.#level(target));
  }

  /** The time of the axis in which nobody counted yet. */
  #uncounted() {
    const { found, x } = this;
    if (found.counted_from <= found.from) return [];
    const width = x(Math.min(found.counted_from, found.to)) - x(found.from);
    return [bar(x(found.from), width, BARS.top, LEVEL.bottom, "chart-uncounted", "url(#chart-uncounted)")];
  }

  #bars() {
    const { x } = this;
    const counted = this.found.slots.filter(({ figures }) => figures);
    const { max, step } = scaleFor(Math.max(0, ...counted.map(({ figures }) => Math.max(figures.offered, figures.answered + figures.abandoned))));
    const y = (count) => BARS.bottom - (count / max) * (BARS.bottom - BARS.top);
    const nodes = [];
    for (let count = 0; count <= max; count += step) {
      nodes.push(line(LEFT, y(count), WIDTH - RIGHT, y(count), count ? "chart-grid" : "chart-axis"), label(LEFT - 6, y(count) + 3.5, number(count), "end"));
    }
    for (const { from, to, figures, running } of counted) {
      const [left, width] = [x(from), x(to) - x(from)];
      const pad = Math.min(1.5, width * 0.1);
      const inner = width - 2 * pad;
      const soft = running ? " chart-running" : "";
      if (figures.offered) nodes.push(bar(left + pad, inner, y(figures.offered), BARS.bottom, `chart-offered${soft}`));
      if (figures.answered) nodes.push(bar(left + pad + inner * 0.12, inner * 0.44, y(figures.answered), BARS.bottom, `chart-answered${soft}`));
      if (figures.abandoned) {
        nodes.push(bar(left + pad + inner * 0.6, inner * 0.28, y(figures.abandoned), BARS.bottom, `chart-abandoned${soft}`, "url(#chart-abandoned)"));
      }
    }
    return nodes;
  }

  #hours(zone) {
    const { found, x } = this;
    const hours = Math.round((found.to - found.from) / HOUR_MS);
    const every = [1, 2, 3, 4, 6].find((n) => hours / n <= MOST_HOURS) ?? 6;
    const nodes = [];
    for (let n = 0; n <= hours; n += every) {
      const at = found.from + n * HOUR_MS;
      nodes.push(line(x(at), BARS.bottom, x(at), BARS.bottom + 4, "chart-axis"), line(x(at), LEVEL.top, x(at), LEVEL.bottom, "chart-grid"));
      nodes.push(label(x(at), HEIGHT - 4, clockMinutes(at, zone)));
    }
    return nodes;
  }

  #level({ formula, target }) {
    const { x } = this;
    const y = (share) => LEVEL.bottom - share * (LEVEL.bottom - LEVEL.top);
    const nodes = [0, 0.5, 1].flatMap((share) => [
      line(LEFT, y(share), WIDTH - RIGHT, y(share), share ? "chart-grid" : "chart-axis"),
      label(LEFT - 6, y(share) + 3.5, percent(share), "end"),
    ]);
    nodes.push(line(LEFT, y(target), WIDTH - RIGHT, y(target), "chart-target"));
    nodes.push(label(WIDTH - RIGHT + 4, y(target) + 3.5, `${formula} ${percent(target)}`, "start", "chart-label chart-target-label"));
    const points = this.found.slots.map(({ from, to, figures }) => {
      const share = levelOfStretch(figures, formula);
      return share === null ? null : { x: round(x((from + to) / 2)), y: round(y(share)), below: share < target };
    });
    for (const run of runsOf(points)) if (run.length > 1) nodes.push(svg("polyline", { points: run.map((one) => `${one.x},${one.y}`).join(" "), class: "chart-line" }));
    for (const point of points) if (point) nodes.push(dot(point));
    return nodes;
  }

  #point({ clientX }) {
    const matrix = this.node.getScreenCTM();
    if (!this.found || !matrix) return;
    const at = (clientX - matrix.e) / matrix.a;
    this.#mark(this.found.slots.find(({ from, to }) => at >= this.x(from) && at < this.x(to)) ?? null);
  }

  #mark(slot) {
    if (this.cursor) {
      this.cursor.setAttribute("x", slot ? this.x(slot.from) : 0);
      this.cursor.setAttribute("width", slot ? this.x(slot.to) - this.x(slot.from) : 0);
    }
    this.onPoint(slot);
  }
}

/** Stretches without a gap. */
function runsOf(points) {
  const runs = [[]];
  for (const point of points) {
    if (point) runs.at(-1).push(point);
    else if (runs.at(-1).length) runs.push([]);
  }
  return runs;
}

/** A dot at or over the target; a triangle that points down below it. */
function dot({ x, y, below }) {
  if (!below) return svg("circle", { cx: x, cy: y, r: 2.6, class: "chart-dot" });
  return svg("path", { d: `M${x - 3.6} ${y - 2.6}h7.2l-3.6 6z`, class: "chart-dot chart-below" });
}

function describe({ slots, counted_from: since }, { formula, target }, zone) {
  const counted = slots.filter(({ figures }) => figures);
  const sum = (name) => counted.reduce((total, { figures }) => total + figures[name], 0);
  const below = counted.filter(({ figures }) => (levelOfStretch(figures, formula) ?? 1) < target).length;
  return t("drawer.chart.label", {
    n: counted.length,
    time: clockMinutes(since, zone) || NO_DATA,
    offered: sum("offered"),
    answered: sum("answered"),
    abandoned: sum("abandoned"),
    formula,
    below,
  });
}
