// A transfer as a bar of its legs against the limit, with the figures beside it in words.

import { h } from "/static/shared/dom.js";
import { number, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { exactTime } from "../../words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 480;
const HEIGHT = 40;

/** `names`: what its parties are called, by their ids. */
export function transferView(transfer, zone, names) {
  const parties = [transfer.from_agent, transfer.to].filter(Boolean);
  const who = parties.map((id) => names[id] || id).join(" → ");
  return h(
    "div",
    { class: "transfer stack" },
    h(
      "p",
      {},
      h("strong", { text: t(`transfer.kind.${transfer.kind}`) }),
      ` ${who}, ${t(`transfer.outcome.${transfer.outcome}`)}`,
    ),
    bar(transfer),
    h("div", { class: "two" }, legs(transfer), stamps(transfer, zone)),
  );
}

function legs(transfer) {
  const never = transfer.total_s === null && transfer.outcome !== "running";
  const over = never || transfer.total_s > transfer.limit_s;
  const total = never ? t("transfer.never") : seconds(transfer.total_s);
  return h(
    "dl",
    { class: "facts" },
    transfer.legs.map((leg) => [
      h("dt", {}, h("span", { class: `swatch leg-${leg.name}` }), t(`leg.${leg.name}`)),
      h("dd", { text: legText(leg) }),
    ]),
    transfer.customer_gap_s !== null && [
      h("dt", { text: t("transfer.gap") }),
      h("dd", { text: seconds(transfer.customer_gap_s) }),
    ],
    h("dt", { text: t("transfer.total") }),
    h(
      "dd",
      {},
      h("strong", { class: over ? "over" : "", text: total }),
      ` (${t("transfer.limit", { limit: seconds(transfer.limit_s) })})`,
    ),
  );
}

function legText(leg) {
  if (leg.seconds === null && leg.open_s !== null) return t("transfer.unfinished", { duration: seconds(leg.open_s) });
  return seconds(leg.seconds);
}

function stamps(transfer, zone) {
  return h(
    "dl",
    { class: "facts" },
    Object.entries(transfer.stamps).map(([name, at]) => [
      h("dt", { text: t(`stamp.${name}`) }),
      h("dd", { class: "nowrap", text: exactTime(at, zone) }),
    ]),
  );
}

function bar(transfer) {
  const drawn = transfer.legs.map((leg) => ({ name: leg.name, open: leg.seconds === null, s: leg.seconds ?? leg.open_s ?? 0 }));
  const sum = drawn.reduce((all, leg) => all + leg.s, 0);
  const scale = WIDTH / (Math.max(transfer.total_s ?? 0, transfer.limit_s, sum) * 1.12);
  const label = `${t("transfer.total")} ${number(transfer.total_s ?? sum, 1)} / ${number(transfer.limit_s, 1)} s`;
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "legs", role: "img", "aria-label": label });
  svg.append(shape("rect", { class: "ground", x: 0, y: 4, width: WIDTH, height: 18 }));
  let x = 0;
  for (const leg of drawn) {
    const width = leg.s * scale;
    if (!width) continue;
    svg.append(shape("rect", { class: `leg-${leg.name}${leg.open ? " unfinished" : ""}`, x, y: 4, width, height: 18 }));
    if (width > 70) svg.append(words(`${t(`leg.${leg.name}`)} ${number(leg.s, 1)}`, { x: x + 5, y: 17, class: "on-leg" }));
    x += width;
  }
  const limit = transfer.limit_s * scale;
  svg.append(shape("line", { class: "limit", x1: limit, x2: limit, y1: 0, y2: 26 }));
  const anchor = limit > WIDTH * 0.8 ? "end" : "middle";
  svg.append(words(t("transfer.limit", { limit: seconds(transfer.limit_s) }), { x: limit, y: 37, "text-anchor": anchor }));
  return svg;
}

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function words(text, attributes) {
  const node = shape("text", attributes);
  node.textContent = text;
  return node;
}
