// Beside the floor: what was flagged, worst first, and the transfers that run.

import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration, number, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { SEVERITIES } from "../agentlist.js";
import { drawEvidence, evidenceMark } from "../evidence.js";
import { keyOf } from "../store.js";
import { isRunning, isSlow, offBy, SLOW_S, tookS } from "../transferfacts.js";
import { kindText, phaseText, routeText } from "../transferwords.js";
import { summary } from "./card.js";

const SHOWN_ENDED = 6;

function panel(root) {
  const title = h("h2");
  const list = h("ul", { class: "rail-list" });
  const nothing = h("p", { class: "rail-nothing muted" });
  fill(root, h("div", { class: "panel-head" }, title), nothing, list);
  return { title, list, nothing };
}

export class FlagsPanel {
  constructor(root, board) {
    Object.assign(this, { board, parts: panel(root), nodes: new Map() });
  }

  update() {
    const { board, parts } = this;
    const site = board.site();
    const flags = [...board.store.flags.values()].filter((flag) => !site || flag.site === site);
    flags.sort(
      (a, b) => (SEVERITIES[b.severity] ?? 0) - (SEVERITIES[a.severity] ?? 0) || (a.started < b.started ? -1 : 1),
    );
    setText(parts.title, flags.length ? t("flags.count", { n: flags.length }) : t("flags.title"));
    setHidden(parts.nothing, flags.length > 0);
    setText(parts.nothing, t(board.anyLive() ? "flags.none" : "flags.no_data"));
    this.nodes = keyed(
      parts.list,
      flags,
      (flag) => keyOf("flag", flag),
      () => createFlag((flag) => board.focusFlag(flag)),
      (node, flag) => updateFlag(node, flag, board),
    );
    this.tick();
  }

  tick(local) {
    for (const { flag, parts } of this.nodes.values()) {
      setText(parts.age, duration(this.board.clocks.since(flag.site, flag.started, local)));
    }
  }
}

function createFlag(focus) {
  const parts = {
    shape: icon("warning"),
    severity: h("span", { class: "visually-hidden" }),
    text: h("span", { class: "flag-text" }),
    where: h("span", { class: "flag-where muted truncate" }),
    age: h("span", { class: "flag-age" }),
  };
  const { shape, severity, text, age: time, where } = parts;
  const button = h("button", { class: "flag-button", type: "button" }, shape, severity, text, time, where);
  const node = h("li", { class: "flag" }, button);
  button.addEventListener("click", () => focus(node.flag));
  node.parts = parts;
  return node;
}

function updateFlag(node, flag, board) {
  node.flag = flag;
  setData(node, "tone", flag.severity);
  setData(node, "stale", board.isStale(flag.site) ? "yes" : "");
  setIcon(node.parts.shape, flag.severity);
  setText(node.parts.severity, t(`severity.${flag.severity}`));
  setText(node.parts.text, summary(flag));
  setText(node.parts.where, board.whereOf(flag));
}

export class TransfersPanel {
  constructor(root, board) {
    Object.assign(this, { board, parts: panel(root), nodes: new Map() });
    this.desk = h("a", { class: "rail-more", href: "/transfers" });
    this.parts.title.after(this.desk);
  }

  update() {
    const { board, parts } = this;
    setText(this.desk, t("transfers.desk"));
    const site = board.site();
    const here = (transfer) => !site || transfer.site === site;
    const running = [...board.store.runningTransfers.values()].filter(here);
    running.sort((a, b) => (a.requested < b.requested ? -1 : 1));
    const ended = lastEnded(board.store.transfers.values(), here);
    setText(parts.title, running.length ? t("transfers.count", { n: running.length }) : t("transfers.title"));
    setHidden(parts.nothing, running.length + ended.length > 0);
    setText(parts.nothing, t(board.anyLive() ? "transfers.none" : "flags.no_data"));
    this.nodes = keyed(
      parts.list,
      [...running, ...ended],
      (transfer) => keyOf("transfer", transfer),
      () => createTransfer((transfer) => board.focusTransfer(transfer)),
      (node, transfer) => updateTransfer(node, transfer, board),
    );
    this.tick();
  }

  tick(local) {
    for (const node of this.nodes.values()) tickTransfer(node, this.board.clocks, local);
  }
}

/** The last that ended, newest first. Looked for in one go: a large floor remembers thousands. */
function lastEnded(transfers, here) {
  const ended = ({ ended: at, requested }) => at ?? requested;
  const found = [];
  for (const transfer of transfers) {
    if (isRunning(transfer) || !here(transfer)) continue;
    if (found.length === SHOWN_ENDED && ended(transfer) <= ended(found.at(-1))) continue;
    const older = found.findIndex((one) => ended(one) < ended(transfer));
    found.splice(older < 0 ? found.length : older, 0, transfer);
    if (found.length > SHOWN_ENDED) found.pop();
  }
  return found;
}

function createTransfer(focus) {
  const parts = {
    route: h("span", { class: "transfer-route truncate" }),
    phase: h("span", { class: "transfer-phase muted truncate" }),
    time: h("span", { class: "transfer-time" }),
    fill: h("span", { class: "transfer-fill" }),
    evidence: evidenceMark("transfer-evidence"),
  };
  const bar = h("span", { class: "transfer-bar", "aria-hidden": "true" }, parts.fill);
  const button = h("button", { class: "transfer-button", type: "button" }, parts.route, parts.time, bar, parts.phase, parts.evidence);
  const node = h("li", { class: "transfer" }, button);
  button.addEventListener("click", () => focus(node.transfer));
  node.parts = parts;
  return node;
}

function updateTransfer(node, transfer, board) {
  node.transfer = transfer;
  setText(node.parts.route, routeText(transfer, board));
  setData(node, "outcome", transfer.outcome);
  setData(node, "stale", board.isStale(transfer.site) ? "yes" : "");
  const unsure = transfer.slow === "cannot_tell" && transfer.outcome !== "running";
  const words = [kindText(transfer, board), phaseText(transfer), unsure && t("transfers.cannot_tell")];
  setText(node.parts.phase, words.filter(Boolean).join(" · "));
  const off = number(transfer.precision_ms / 1000, transfer.precision_ms % 1000 ? 1 : 0);
  setAttr(node.parts.phase, "title", unsure ? t("transfers.cannot_tell.hint", { off }) : null);
  drawEvidence(node.parts.evidence, transfer, board);
}

function tickTransfer(node, clocks, local) {
  const { transfer, parts } = node;
  const took = tookS(transfer, clocks.now(transfer.site, local));
  const off = offBy(transfer);
  setText(parts.time, off ? `${seconds(took)} ± ${number(off, off < 1 ? 1 : 0)}` : seconds(took));
  setData(node, "slow", isSlow(transfer, took) ? "yes" : "");
  parts.fill.style.transform = `scaleX(${Math.min(1, Math.max(0, (took ?? 0) / SLOW_S))})`;
}
