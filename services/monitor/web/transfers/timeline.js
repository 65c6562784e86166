// A transfer's legs to scale, with their stamps and the limit.

import { fill, h, setAttr, setText } from "/static/shared/dom.js";
import { instant, NO_DATA, number, seconds } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { LEGS, legsOf, SLOW_S, tookS, untoldS } from "../transferfacts.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, BAR, TOP] = [640, 22, 6];
const MIN_LABEL = 52;
const STAMPS = ["requested", "ringing", "answered", "bridged", "released", "ended"];

function shape(tag, attributes, text = "") {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  return node;
}

/** 09:05:07.123 where the switch tells fractions. */
export function exact(iso, zone) {
  const at = instant(iso);
  if (Number.isNaN(at)) return NO_DATA;
  return new Intl.DateTimeFormat(language() === "zh-CN" ? "zh-CN" : "en-GB", {
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23", timeZone: zone,
  }).format(at);
}

/** The pattern of what no leg tells. */
function hatching() {
  const pattern = shape("pattern", { id: "untold", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(shape("rect", { class: "timeline-hatch", width: 3, height: 7 }));
  return pattern;
}

/** The bar; drawn again with each beat while the transfer runs. */
export function createTimeline() {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} 48`, class: "timeline", role: "img" });
  return svg;
}

export function drawTimeline(svg, transfer, now) {
  const legs = legsOf(transfer, now);
  const total = tookS(transfer, now) ?? 0;
  const scale = WIDTH / (Math.max(SLOW_S, total) * 1.08);
  svg.replaceChildren(shape("rect", { class: "timeline-ground", x: 0, y: TOP, width: WIDTH, height: BAR, rx: 3 }));
  const begin = instant(transfer.requested);
  const untold = untoldS(transfer, now);
  if (untold) svg.append(hatching(), shape("rect", { class: "timeline-untold", x: 0, y: TOP, width: total * scale, height: BAR, fill: "url(#untold)" }));
  for (const { name, from, to, seconds: told, open } of legs) {
    const [x, width] = [((from - begin) / 1000) * scale, Math.max(1, ((to - from) / 1000) * scale)];
    svg.append(shape("rect", { class: "timeline-leg", "data-leg": name, "data-open": open ? "yes" : "no", x, y: TOP, width, height: BAR }));
    if (width > MIN_LABEL) svg.append(shape("text", { class: "timeline-on", x: x + 6, y: TOP + 15 }, `${t(`desk.leg.${name}`)} ${number(told, 1)}`));
  }
  const limit = SLOW_S * scale;
  svg.append(shape("line", { class: "timeline-limit", x1: limit, x2: limit, y1: 1, y2: TOP + BAR + 4 }));
  const end = limit > WIDTH * 0.85;
  svg.append(shape("text", { class: "timeline-word", x: end ? limit - 4 : limit + 4, y: 44, "text-anchor": end ? "end" : "start" }, t("desk.limit", { limit: seconds(SLOW_S) })));
  const words = legs.map((leg) => `${t(`desk.leg.${leg.name}`)} ${seconds(leg.seconds)}`);
  if (untold) words.push(`${t("desk.untold")} ${seconds(untold)}`);
  setAttr(svg, "aria-label", [...words, `${t("desk.total")} ${seconds(total)}`, t("desk.limit", { limit: seconds(SLOW_S) })].join(", "));
}

/** The legs in figures and the stamps, as two lists; returns what a beat of the clock changes. */
export function createFigures() {
  const legs = h("dl", { class: "facts desk-legs" });
  const stamps = h("dl", { class: "facts desk-stamps" });
  return { node: h("div", { class: "desk-figures" }, legs, stamps), legs, stamps, drawn: "" };
}

export function drawFigures(figures, transfer, zone, now) {
  const legs = legsOf(transfer, now);
  const rows = LEGS.map((name) => {
    const leg = legs.find((one) => one.name === name);
    return [name, leg ? seconds(leg.seconds) : NO_DATA, leg?.open && transfer.outcome !== "running"];
  });
  const untold = untoldS(transfer, now);
  const values = [
    ...rows.map(([name, value, open]) => [name, open ? t("desk.leg.unfinished", { value }) : value]),
    ...(untold ? [["untold", seconds(untold)]] : []),
    ["gap", seconds(transfer.customer_gap_s)],
    ["total", transfer.total_s === null && transfer.outcome !== "running" ? t("desk.never", { value: seconds(tookS(transfer, now)) }) : seconds(tookS(transfer, now))],
  ];
  const names = values.map(([name]) => t(LEGS.includes(name) ? `desk.leg.${name}` : `desk.${name}`));
  const shown = JSON.stringify([names, STAMPS.map((name) => transfer[name]), language(), zone]);
  if (shown !== figures.drawn) {
    figures.drawn = shown;
    fill(figures.legs, values.map(([name], index) => [h("dt", {}, h("span", { class: "swatch", data: { leg: name } }), names[index]), h("dd", { data: { name } })]));
    fill(figures.stamps, STAMPS.map((name) => [h("dt", { text: t(`desk.stamp.${name}`) }), h("dd", { class: "nowrap", text: exact(transfer[name], zone) })]));
  }
  for (const [name, value] of values) setText(figures.legs.querySelector(`[data-name="${name}"]`), value);
}
