// The queues, on top: what waits, who is there, how the day went.

import { h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { STATES } from "../agentlist.js";
import { drawEvidence, evidenceMark } from "../evidence.js";
import { keyOf } from "../store.js";
import { levelOf, thresholds } from "../thresholds.js";
import { carriedOver, carriedText, seenText, sinceHint, sinceText } from "./counting.js";

// Queues are lines instead of tiles when they are many, or when rows of tiles would take more than a third of the window.
const MANY = 8;
const TILE_REM = 17; // no tile is narrower
const ROW_REM = 10.5; // how high a row of tiles is
const SHARE = 1 / 3;
const SCROLLED = matchMedia("(width <= 60rem)"); // the page scrolls: there is room for tiles

export class QueuesPanel {
  constructor(root, board) {
    this.root = root;
    this.board = board;
    this.nodes = new Map();
    this.spread = 0; // so many of them
    new ResizeObserver(() => this.#spread()).observe(root);
    addEventListener("resize", () => this.#spread());
    thresholds.on(() => this.update());
  }

  update() {
    const { store } = this.board;
    const site = this.board.site();
    const queues = [...store.queues.values()].filter((queue) => !site || queue.site === site);
    setHidden(this.root, queues.length === 0);
    this.nodes = keyed(
      this.root,
      queues,
      (queue) => keyOf("queue", queue),
      () => createTile(this.board),
      (node, queue) => updateTile(node, queue, this.board),
    );
    if (this.spread !== this.nodes.size) this.#spread();
    this.tick();
  }

  /**
   * As many rows as tiles need, and tiles shared out evenly among them: seven are 4 and 3, not 6 and 1. It lays the page out,
   * so it is done for another width or another number of tiles only.
   */
  #spread() {
    this.spread = this.nodes.size;
    const style = getComputedStyle(this.root);
    const [gap, rem] = [parseFloat(style.columnGap) || 0, parseFloat(getComputedStyle(document.documentElement).fontSize)];
    const fit = Math.max(1, Math.floor((this.root.clientWidth + gap) / (TILE_REM * rem + gap)));
    const rows = Math.ceil(this.nodes.size / fit);
    const high = rows > 1 && !SCROLLED.matches && rows * ROW_REM * rem > innerHeight * SHARE;
    setData(this.root, "layout", this.nodes.size > MANY || high ? "lines" : "tiles");
    this.root.style.setProperty("--columns", String(Math.ceil(this.nodes.size / Math.max(1, rows)) || 1));
  }

  tick(local) {
    for (const node of this.nodes.values()) tickTile(node, this.board, local);
  }

  focus(key) {
    const node = this.nodes.get(key);
    node?.scrollIntoView({ block: "nearest" });
    node?.querySelector("button").focus({ preventScroll: true });
    return node ?? null;
  }
}

function figure(name, extra = "") {
  const label = h("span", { class: "figure-label" });
  const value = h("span", { class: "figure-value" });
  return { node: h("div", { class: `figure figure-${name} ${extra}` }, value, label), label, value };
}

function createTile(board) {
  const parts = {
    name: h("button", { class: "queue-name", type: "button" }),
    site: h("span", { class: "queue-site muted truncate" }),
    mark: h("span", { class: "site-mark" }),
    open: h("button", { class: "button quiet icon-only queue-open", type: "button" }, icon("open")),
    flag: h("span", { class: "queue-flag", role: "img", hidden: true }, icon("warning")),
    since: h("span"),
    evidence: evidenceMark("queue-evidence"),
    seen: h("span", { class: "queue-seen" }),
    meter: h("span", { class: "meter", "aria-hidden": "true" }),
    agents: h("span", { class: "queue-agents" }),
    chips: new Map(),
  };
  const figures = ["waiting", "longest", "level", "offered", "answered", "abandoned", "asa", "aht"];
  for (const name of figures) parts[name] = figure(name);
  parts.meter.append(h("span", { class: "meter-fill" }), h("span", { class: "meter-target" }));
  parts.level.node.append(parts.meter);
  for (const state of STATES) {
    if (state === "offline") continue;
    const count = h("span");
    const chip = h("span", { class: "team-count", data: { state } }, icon(state), count);
    parts.chips.set(state, { chip, count });
    parts.agents.append(chip);
  }
  parts.carried = h("span", { class: "figure-more", hidden: true }, h("span", { "aria-hidden": "true" }), h("span", { class: "visually-hidden" }));
  parts.offered.value.after(parts.carried);
  const known = h("p", { class: "queue-since muted" }, parts.since, parts.evidence, h("span", { class: "visually-hidden" }), parts.seen);
  known.addEventListener("pointerenter", () => setAttr(known, "title", sinceHint(node.queue, board)));
  parts.seenWords = parts.seen.previousSibling;
  const nodes = (...names) => names.map((name) => parts[name].node);
  const node = h(
    "article",
    { class: "queue panel" },
    h(
      "header",
      { class: "queue-head" },
      h("div", { class: "queue-title" }, parts.name, parts.flag, parts.site, parts.mark, parts.open),
      parts.agents,
    ),
    h("div", { class: "queue-now" }, nodes("waiting", "longest", "level")),
    h("div", { class: "queue-day" }, nodes("offered", "answered", "abandoned", "asa", "aht"), known),
  );
  parts.name.addEventListener("click", () => board.filterQueue(node.key));
  parts.open.addEventListener("click", () => board.openQueue(node.key));
  node.parts = parts;
  return node;
}

function updateTile(node, queue, board) {
  const { parts } = node;
  node.queue = queue;
  node.key = keyOf("queue", queue);
  const stale = board.isStale(queue.site);
  const never = board.hasNeverReported(queue.site);
  const flag = board.flagOfQueue(node.key);
  setData(node, "stale", stale ? "yes" : "");
  setText(parts.name, queue.label || queue.queue);
  setAttr(parts.name, "title", t("queue.filter"));
  setAttr(parts.name, "aria-pressed", String(board.queueFilter() === node.key));
  setAttr(parts.open, "title", t("queue.open", { queue: queue.label || queue.queue }));
  setAttr(parts.open, "aria-label", parts.open.title);
  setText(parts.site, board.saysSite(queue.site) ? board.siteLabel(queue.site) : "");
  setText(parts.mark, board.markOf(queue.site));
  setHidden(parts.flag, !flag);
  setData(parts.flag, "tone", flag?.severity);
  setAttr(parts.flag, "aria-label", flag ? board.summary(flag) : null);
  setAttr(parts.flag, "title", flag ? board.summary(flag) : null);
  drawFigures(parts, queue, never);
  drawCarried(parts, queue, board);
  drawLevel(parts, queue);
  for (const [state, { chip, count }] of parts.chips) {
    const n = queue.agents[state] ?? 0;
    setHidden(chip, state !== "ready" && (n === 0 || never));
    setText(count, never ? NO_DATA : n);
    setAttr(chip, "title", `${t(`state.${state}`)}: ${n}`);
    setData(chip, "none", n === 0 ? "yes" : "");
  }
  drawEvidence(parts.evidence, queue, board);
  setText(parts.since, sinceText(queue, board));
  setText(parts.seenWords, queue.seen ? t("queue.seen.words") : "");
}

/** What makes "answered" more than "offered": a small "+3" beside it that says so when it is asked. */
function drawCarried(parts, queue, board) {
  const more = carriedText(queue, board);
  setHidden(parts.carried, !more);
  setText(parts.carried.firstChild, `+${number(carriedOver(queue))}`);
  setText(parts.carried.lastChild, more);
  setAttr(parts.offered.node, "title", more ? `${more}. ${t("queue.carried.hint")}` : t("queue.offered.hint"));
}

function drawFigures(parts, queue, never) {
  const counted = queue.since !== null; // before counting began there is no figure, not a zero
  const day = (value) => (counted ? number(value) : NO_DATA);
  setText(parts.waiting.value, never ? NO_DATA : number(queue.waiting));
  setText(parts.waiting.label, t("queue.waiting"));
  setData(parts.waiting.node, "some", queue.waiting > 0 ? "yes" : "");
  setData(parts.waiting.node, "tone", never ? "" : levelOf(queue.waiting, thresholds.of(queue).waiting));
  setText(parts.longest.label, t("queue.longest"));
  setText(parts.offered.value, day(queue.offered));
  setText(parts.offered.label, t("queue.offered"));
  setText(parts.answered.value, day(queue.answered));
  setText(parts.answered.label, t("queue.answered"));
  setText(parts.abandoned.value, day(queue.abandoned));
  setText(parts.abandoned.label, t("queue.abandoned"));
  setAttr(parts.abandoned.node, "title", t("queue.abandoned.hint", {
    short: day(queue.short_abandoned),
    within: number(queue.service_level.short_abandon_s),
    other: day(queue.other_ended),
  }));
  setText(parts.asa.value, duration(queue.asa_s));
  setText(parts.asa.label, t("queue.asa"));
  setAttr(parts.asa.node, "title", t("queue.asa.hint", { longest: duration(queue.longest_waited_s) }));
  setText(parts.aht.value, duration(queue.aht_s));
  setText(parts.aht.label, t("queue.aht"));
  setAttr(parts.aht.node, "title", t("queue.aht.hint", {
    n: number(queue.handled),
    talk: duration(queue.talk_s),
    hold: duration(queue.hold_s),
    wrap: duration(queue.wrap_s),
    occupancy: percent(queue.occupancy),
  }));
}

function drawLevel(parts, queue) {
  const { service_level: level, service_level_f1: f1, recent } = queue;
  const target = `${Math.round(level.target * 100)}/${number(level.within_s)}`;
  setText(parts.level.value, percent(level.value));
  setText(parts.level.label, `${level.formula} ${target}`);
  setAttr(parts.level.node, "title", t("queue.level.hint", {
    formula: level.formula,
    within: number(level.within_s),
    short: number(level.short_abandon_s),
    target: percent(level.target),
    f1: percent(f1),
    recent: percent(recent?.service_level),
  }));
  setData(parts.level.node, "tone", levelOf(level.value, thresholds.of(queue).service_level));
  setHidden(parts.meter, level.value === null);
  parts.meter.firstChild.style.width = `${(level.value ?? 0) * 100}%`;
  parts.meter.lastChild.style.left = `${level.target * 100}%`;
}

function tickTile(node, board, local) {
  const { queue, parts } = node;
  const { clocks } = board;
  const waited = clocks.since(queue.site, queue.longest_since, local);
  setText(parts.longest.value, waited === null ? NO_DATA : duration(waited));
  setData(parts.longest.node, "tone", levelOf(waited, thresholds.of(queue).longest_wait_s));
  setText(parts.seen, seenText(queue, board, local));
}
