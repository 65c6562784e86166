// Transfers with their legs: seek, ring, brief, the customer's gap and the total, held against the seven seconds.

import { h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { number, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { isRunning, isSlow, LEGS, legsOf, offBy, SLOW_S, tookS } from "../transferfacts.js";
import { kindText, phaseText, routeText } from "../transferwords.js";

const LEAST_SCALE_S = 10; // the bar reaches at least this far, so that the line has a place

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
  const { parts } = node;
  const now = board.clocks.now(transfer.site, local);
  const took = tookS(transfer, now);
  const slow = isSlow(transfer, took);
  const running = isRunning(transfer);
  // of a finished one those that came to their end: what was broken off has no length
  const legs = new Map(legsOf(transfer, now).flatMap((leg) => (leg.open && !running ? [] : [[leg.name, leg]])));
  setData(node, "slow", slow ? "yes" : "");
  setData(node, "running", running ? "yes" : "");
  setText(parts.route, routeText(transfer, board));
  const off = offBy(transfer);
  setText(parts.total, seconds(took) + (off ? ` ± ${number(off, off < 1 ? 1 : 0)}` : ""));
  setHidden(parts.mark, !slow);
  setText(parts.words, [kindText(transfer, board), phaseText(transfer)].join(" · "));
  const scale = Math.max(LEAST_SCALE_S, took ?? 0);
  for (const piece of parts.pieces) {
    const leg = legs.get(piece.dataset.leg);
    piece.style.width = `${((leg?.seconds ?? 0) / scale) * 100}%`;
    setHidden(piece, !leg);
  }
  parts.line.style.left = `${(SLOW_S / scale) * 100}%`;
  for (const figure of parts.figures.children) {
    const { leg: name } = figure.dataset;
    setHidden(figure, name === "brief" && transfer.kind !== "attended");
    setData(figure, "running", running && legs.get(name)?.open ? "yes" : "");
    setText(figure.lastChild, seconds(name === "gap" ? transfer.customer_gap_s : legs.get(name)?.seconds));
  }
  setAttr(node, "data-legs", [...legs.keys()].join(" "));
}

/** The transfers that an agent or a call is part of: running first, then those that just ended. */
export class TransferLegs {
  constructor(board) {
    this.board = board;
    this.list = h("ul", { class: "legs-list" });
  }

  draw(transfers, local) {
    const rank = (transfer) => Number(!isRunning(transfer));
    const sorted = [...transfers].sort((a, b) => rank(a) - rank(b) || (a.requested > b.requested ? -1 : 1));
    keyed(this.list, sorted, ({ transfer_id: id }) => id, create, (node, transfer) => draw(node, transfer, this.board, local));
  }
}

