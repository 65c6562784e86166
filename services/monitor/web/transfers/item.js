// One line of the desk's list: when, who to whom, the legs against the limit, how it ended, its case.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, dayShort, number, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { isRunning, LEGS, legsOf, offBy, SLOW_S, tookS } from "../transferfacts.js";
import { kindText, phaseText, routeText } from "../transferwords.js";
import { verdictOf } from "./model.js";

export const VERDICT_ICONS = { yes: "critical", cannot_tell: "unknown", no: "ok" };
const BAR_S = 14; // the width of a line's bar; the limit stands in its middle

/** "over 7 s", "within 7 s", "cannot tell (±1 s)". */
export function verdictText(transfer, now) {
  const off = offBy(transfer);
  return t(`desk.verdict.${verdictOf(transfer, now)}`, { limit: number(SLOW_S), off: number(off, off % 1 ? 1 : 0) });
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
    { class: "row-item", role: "option" },
    h("span", { class: "row-mark" }, shape, verdict),
    h("span", { class: "row-when" }, at, day),
    h("span", { class: "row-who" }, route, how),
    bar,
    took,
    h("span", { class: "row-badges" }, found, unsaved),
  );
  node.parts = parts;
  node.legs = LEGS.map((name) => h("span", { class: "row-leg", data: { leg: name } }));
  bar.append(...node.legs, h("span", { class: "row-limit" }));
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
  setText(parts.how, [kindText(transfer), phaseText(transfer), board.manySites() && board.siteLabel(transfer.site), transfer.fresh && t("desk.fresh")].filter(Boolean).join(" · "));
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
  const verdict = verdictOf(transfer, now);
  const { parts } = node;
  const tone = verdict === "no" && ["failed", "abandoned"].includes(transfer.outcome) ? "failed" : verdict;
  setData(node, "verdict", verdict);
  setIcon(parts.shape, tone === "failed" ? "warning" : VERDICT_ICONS[verdict]);
  setData(node, "tone", { yes: "critical", failed: "warning", cannot_tell: "quiet", no: "quiet" }[tone]);
  setText(parts.verdict, verdictText(transfer, now));
  setText(parts.took, seconds(tookS(transfer, now)));
  const legs = new Map(legsOf(transfer, now).map((leg) => [leg.name, leg]));
  for (const bar of node.legs) {
    const leg = legs.get(bar.dataset.leg);
    const share = leg ? Math.min(1, leg.seconds / BAR_S) : 0;
    bar.style.width = `${(share * 100).toFixed(2)}%`;
    setData(bar, "open", leg?.open ? "yes" : "");
  }
}
