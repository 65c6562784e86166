// Transfers with their legs: seek, ring, brief, the customer's gap and the total, held against the seven seconds.

import { h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { number, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";

const SLOW_S = 7; // a transfer may take this long, by any switch and floor
const LEAST_SCALE_S = 10; // the bar reaches at least this far, so that the line has a place
const LEGS = ["seek", "ring", "brief"];

function between(from, to) {
  return from && to ? (new Date(to) - new Date(from)) / 1000 : null;
}

/**
 * {legs: {seek, ring, brief: {s, running}}, gap_s, total_s, running, slow}; `since(iso)` gives the seconds since then. A leg
 * that has not begun, or that the switch does not tell apart, is null.
 */
export function legsOf(transfer, since) {
  const { requested, ringing, answered, bridged, outcome } = transfer;
  const running = outcome === "running";
  const attended = transfer.kind === "attended";
  const open = (from, to, own) => own ?? between(from, to) ?? (running && from && !to ? since(from) : null);
  const leg = (s, goesOn) => ({ s, running: running && goesOn && s !== null });
  const seek = ringing || !answered ? open(requested, ringing, transfer.seek_s) : null;
  const legs = {
    seek: leg(running || ringing ? seek : (transfer.seek_s ?? null), !ringing && !answered),
    ring: leg(ringing ? open(ringing, answered, transfer.ring_s) : null, !answered),
    brief: leg(attended && answered ? open(answered, bridged, transfer.brief_s) : null, !bridged),
  };
  const total = running ? since(requested) : (transfer.total_s ?? null);
  const lasted = total ?? between(requested, transfer.ended);
  const off = (transfer.precision_ms ?? 0) / 1000; // the switch's clock tells no better
  const slow = transfer.slow === "yes" || (running && (total ?? 0) > SLOW_S + off);
  return { legs, gap_s: transfer.customer_gap_s ?? null, total_s: total, lasted_s: lasted, running, slow, off };
}

/** "Ana Silva → Bo Lind"; a finished one brings the names that its agents had. */
export function routeOf(transfer, board) {
  const { site, from_agent: from, to_agent: to, to_queue: queue, to_number: number_ } = transfer;
  const target = (to && (transfer.to_name || board.agentName(site, to))) || (queue && board.queueLabel(site, queue)) || number_;
  return `${transfer.from_name || board.agentName(site, from)} → ${target || t("transfers.unknown_target")}`;
}

/** The kind in words where we have one. */
export function kindOf({ kind }) {
  return ["blind", "attended", "queue"].includes(kind) ? t(`transfers.kind.${kind}`) : kind;
}

function create() {
  const parts = {
    route: h("span", { class: "legs-route truncate" }),
    total: h("strong", { class: "legs-total" }),
    mark: h("span", { class: "legs-mark", hidden: true }, icon("critical"), t("drawer.over_limit", { n: SLOW_S })),
    words: h("span", { class: "legs-words muted" }),
    pieces: LEGS.map((name) => h("span", { class: "legs-piece", data: { leg: name } })),
    line: h("span", { class: "legs-line" }, h("span", { text: t("unit.seconds", { n: SLOW_S }) })),
    figures: h("dl", { class: "legs-figures" }),
  };
  for (const name of [...LEGS, "gap"]) {
    const swatch = h("span", { class: "legs-swatch", data: { leg: name } });
    parts.figures.append(h("div", { data: { leg: name } }, h("dt", {}, name === "gap" ? null : swatch, t(`drawer.leg.${name}`)), h("dd")));
  }
  const bar = h("div", { class: "legs-bar", "aria-hidden": "true" }, parts.pieces, parts.line);
  const head = h("div", { class: "legs-head" }, parts.route, parts.mark, parts.total);
  const node = h("li", { class: "legs" }, head, parts.words, bar, parts.figures);
  node.parts = parts;
  return node;
}

function draw(node, transfer, board, local) {
  const found = legsOf(transfer, (iso) => board.clocks.since(transfer.site, iso, local));
  const { parts } = node;
  setData(node, "slow", found.slow ? "yes" : "");
  setData(node, "running", found.running ? "yes" : "");
  setText(parts.route, routeOf(transfer, board));
  const exact = found.off ? ` ± ${number(found.off, found.off < 1 ? 1 : 0)}` : "";
  setText(parts.total, seconds(found.lasted_s) + exact);
  setHidden(parts.mark, !found.slow);
  setText(parts.words, [kindOf(transfer), t(`transfers.${phaseOf(transfer)}`)].join(" · "));
  const scale = Math.max(LEAST_SCALE_S, found.lasted_s ?? 0);
  const known = LEGS.filter((name) => found.legs[name].s !== null);
  parts.pieces.forEach((piece, n) => {
    const leg = found.legs[LEGS[n]];
    piece.style.width = `${((leg.s ?? 0) / scale) * 100}%`;
    setHidden(piece, leg.s === null);
  });
  parts.line.style.left = `${(SLOW_S / scale) * 100}%`;
  for (const figure of parts.figures.children) {
    const name = figure.dataset.leg;
    const leg = name === "gap" ? { s: found.gap_s, running: false } : found.legs[name];
    setHidden(figure, name === "brief" && transfer.kind !== "attended");
    setData(figure, "running", leg.running ? "yes" : "");
    setText(figure.lastChild, seconds(leg.s));
  }
  setAttr(node, "data-legs", known.join(" "));
}

/** Where a transfer is, or how it ended. */
function phaseOf(transfer) {
  if (transfer.outcome !== "running") return transfer.outcome;
  if (transfer.answered) return "briefing";
  return transfer.ringing ? "ringing" : "seeking";
}

/** The transfers that an agent or a call is part of: running first, then those that just ended. */
export class TransferLegs {
  constructor(board) {
    this.board = board;
    this.list = h("ul", { class: "legs-list" });
  }

  draw(transfers, local) {
    const rank = (transfer) => Number(transfer.outcome !== "running");
    const sorted = [...transfers].sort((a, b) => rank(a) - rank(b) || (a.requested > b.requested ? -1 : 1));
    keyed(this.list, sorted, ({ transfer_id: id }) => id, create, (node, transfer) => draw(node, transfer, this.board, local));
  }
}

