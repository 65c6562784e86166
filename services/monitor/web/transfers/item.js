// One line of the desk's list: when, who to whom, the legs against the limit, how it ended, its case.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, dayShort, instant, number, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { isRunning, LEGS, legsOf, offBy, SLOW_S, tookS, untoldS } from "../transferfacts.js";
import { kindText, phaseText, routeText } from "../transferwords.js";
import { verdictOf } from "./model.js";
import { stretch } from "./scale.js";

const MARKS = {
  yes: { shape: "critical", tone: "critical" },
  cannot_tell: { shape: "unknown", tone: "warning" },
  failed: { shape: "warning", tone: "warning" },
  running: { shape: "timer", tone: "quiet" }, // it may still take too long: nothing to tick off
  no: { shape: "ok", tone: "ok" },
};

/** How a transfer is marked: {verdict, shape, tone, text}: "over 7 s", "within 7 s", "within 7 s so far", "cannot tell (±1 s)". */
export function markOf(transfer, now) {
  const verdict = verdictOf(transfer, now);
  const failed = ["failed", "abandoned"].includes(transfer.outcome);
  const kind = verdict !== "no" ? verdict : isRunning(transfer) ? "running" : failed ? "failed" : "no";
  const off = offBy(transfer);
  const words = { limit: number(SLOW_S), off: number(off, off % 1 ? 1 : 0), how: phaseText(transfer) };
  return { verdict, ...MARKS[kind], text: t(`desk.verdict.${kind}`, words) };
}

export function createRow(choose) {
  const parts = {
    shape: icon("ok"),
    verdict: h("span", { class: "visually-hidden" }),
    at: h("span", { class: "row-at" }),
    day: h("span", { class: "row-day muted" }),
    route: h("span", { class: "row-route truncate" }),
    how: h("span", { class: "row-how muted truncate" }),
    bar: h("span", { class: "row-bar", "aria-hidden": "true" }),
    took: h("span", { class: "row-took" }),
    found: h("span", { class: "badge row-case" }),
    unsaved: h("span", { class: "badge row-unsaved", data: { tone: "warning" } }),
  };
  const { shape, verdict, at, day, route, how, bar, took, found, unsaved } = parts;
  const node = h(
    "div",
    { class: "row-grid row-item", role: "option" },
    h("span", { class: "row-mark" }, shape, verdict),
    h("span", { class: "row-when" }, at, day),
    h("span", { class: "row-who" }, route, how),
    bar,
    took,
    h("span", { class: "row-badges" }, found, unsaved),
  );
  node.parts = parts;
  node.whole = h("span", { class: "row-untold" });
  node.legs = LEGS.map((name) => h("span", { class: "row-leg", data: { leg: name } }));
  bar.append(node.whole, ...node.legs, h("span", { class: "row-limit" }));
  node.addEventListener("click", () => choose(node.item.key));
  return node;
}

/** `look`: {board, chosen: key, unsaved: Set of keys, local}. */
export function updateRow(node, item, look) {
  const { transfer } = item;
  const { parts } = node;
  const { board } = look;
  node.item = item;
  node.id = `row-${item.key}`;
  const zone = board.zone(transfer.site);
  setAttr(node, "aria-selected", String(item.key === look.chosen));
  setData(node, "stale", isRunning(transfer) && board.isStale(transfer.site) ? "yes" : "");
  setData(node, "outcome", transfer.outcome);
  setText(parts.at, clock(transfer.requested, zone));
  setText(parts.day, dayShort(transfer.requested, zone));
  setText(parts.route, routeText(transfer, board));
  setText(parts.how, [kindText(transfer, board), phaseText(transfer), board.manySites() && board.siteLabel(transfer.site), transfer.fresh && t("desk.fresh")].filter(Boolean).join(" · "));
  setHidden(parts.found, !transfer.case);
  setData(parts.found, "tone", transfer.case?.status === "open" ? "warning" : "ok");
  setText(parts.found, transfer.case ? t(`desk.case.${transfer.case.status}`) : "");
  setHidden(parts.unsaved, !look.unsaved.has(item.key));
  setText(parts.unsaved, look.unsaved.has(item.key) ? t("desk.unsaved") : "");
  tickRow(node, look.board, look.local);
}

export function tickRow(node, board, local = performance.now()) {
  const { transfer } = node.item;
  const now = board.clocks.now(transfer.site, local);
  const mark = markOf(transfer, now);
  const { parts } = node;
  setData(node, "verdict", mark.verdict);
  setIcon(parts.shape, mark.shape);
  setData(node, "tone", mark.tone === "ok" ? "quiet" : mark.tone); // a list full of green says nothing
  setText(parts.verdict, mark.text);
  setText(parts.took, seconds(tookS(transfer, now)));
  drawBar(node, transfer, now);
}

/** The legs where they were; what none of them tells shows as hatched ground. */
function drawBar(node, transfer, now) {
  const begin = instant(transfer.requested);
  const since = (at) => (at - begin) / 1000;
  const untold = untoldS(transfer, now) > 0;
  setHidden(node.whole, !untold);
  if (untold) stretch(node.whole, 0, tookS(transfer, now));
  const legs = new Map(legsOf(transfer, now).map((leg) => [leg.name, leg]));
  for (const bar of node.legs) {
    const leg = legs.get(bar.dataset.leg);
    stretch(bar, leg ? since(leg.from) : 0, leg ? since(leg.to) : 0);
    setData(bar, "open", leg?.open ? "yes" : "");
  }
}
