// A queue's tile: how many wait, for how long, how well it was answered, who is there; each with its distance to the limit.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, clock, duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { drawEvidence, evidenceMark } from "../evidence.js";
import { keyOf } from "../store.js";
import { thresholds } from "../thresholds.js";
import { countGap, shareGap, waitGap, worst } from "./gap.js";

const COUNTED = ["ready", "talk", "wrap", "break"]; // everybody else who is logged on is one more figure
const LEVEL_ICONS = { "": "ok", warning: "warning", critical: "critical" };
const LEVEL_WORDS = { "": "within", warning: "warning", critical: "critical" };

/** A figure with its label, its distance to the limit in words and, unless `bar` is false, as a bar; longer than `room` it is written smaller. */
function gauge(name, { room, bar = true }) {
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

/** Draw a gauge; `otherwise` is said where there is no distance. */
function drawGauge(parts, shown, gap, otherwise = "") {
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

export function createTile() {
  const parts = {
    name: h("h2", { class: "tile-name truncate" }),
    site: h("span", { class: "tile-site truncate" }),
    mark: h("span", { class: "tile-mark" }),
    evidence: evidenceMark("tile-evidence"),
    shape: icon("ok"),
    word: h("span", { class: "state-word" }),
    waiting: gauge("waiting", { room: 2, bar: false }),
    wait: gauge("wait", { room: 5 }),
    level: gauge("level", { room: 4 }),
    agents: h("ul", { class: "tile-agents" }),
    counts: new Map(),
  };
  parts.state = h("span", { class: "tile-state" }, parts.shape, parts.word);
  for (const state of [...COUNTED, "other"]) {
    const count = { number: h("strong"), word: h("span", { class: "agent-word" }) };
    const shape = h("span", { class: "agent-shape" }, icon(state === "other" ? "consult" : state));
    count.node = h("li", { class: "tile-agent", data: { state: state === "other" ? "offline" : state } }, shape, count.number, count.word);
    parts.counts.set(state, count);
    parts.agents.append(count.node);
  }
  const head = h("header", { class: "tile-head" }, parts.name, parts.site, parts.mark, parts.evidence, parts.state);
  const node = h("article", { class: "tile" }, head, parts.waiting.node, parts.wait.node, parts.level.node, parts.agents);
  node.parts = parts;
  return node;
}

export function updateTile(node, queue, board) {
  const { parts } = node;
  Object.assign(node, { queue, key: keyOf("queue", queue), limits: thresholds.of(queue) });
  node.never = board.hasNeverReported(queue.site);
  node.stale = board.isStale(queue.site);
  setData(node, "stale", node.stale ? "yes" : "");
  const name = queue.label || queue.queue;
  setText(parts.name, name);
  setData(parts.name, "long", lengthClass(name));
  setText(parts.site, board.manySites() ? board.siteLabel(queue.site) : "");
  setText(parts.mark, board.markOf(queue.site));
  drawEvidence(parts.evidence, queue, board);
  setText(parts.waiting.label, t("queue.waiting"));
  setText(parts.wait.label, t("queue.longest"));
  const { formula, target, within_s: within } = queue.service_level;
  setText(parts.level.label, `${formula} ${Math.round(target * 100)}/${number(within)}`);
  drawAgents(parts.counts, queue.agents, node.never, queue.waiting);
  tickTile(node, board);
}

/** How much room a name needs, in steps; a Chinese character needs that of two letters. */
function lengthClass(name) {
  const length = [...name].reduce((sum, letter) => sum + (letter.codePointAt(0) > 0x2e80 ? 2 : 1), 0);
  return length > 22 ? "very" : length > 14 ? "yes" : "";
}

function drawAgents(counts, agents, never, waiting) {
  const all = Object.entries(agents);
  const rest = all.filter(([state]) => !COUNTED.includes(state) && state !== "offline").reduce((sum, [, n]) => sum + n, 0);
  for (const [state, { node, number: figure, word }] of counts) {
    const n = state === "other" ? rest : (agents[state] ?? 0);
    setText(figure, never ? NO_DATA : number(n));
    setText(word, t(state === "other" ? "hall.other" : `state.${state}`));
    setData(node, "none", never || n === 0 ? "yes" : "");
    setData(node, "wanted", !never && state === "ready" && n === 0 && waiting > 0 ? "yes" : "");
    if (state === "other") setHidden(node, never || n === 0);
  }
}

/** What moves: the longest wait, and with it the tile's own state. Remembers the level as `node.level`. */
export function tickTile(node, board, local) {
  const { parts, queue, limits, never, stale } = node;
  const waited = never ? null : board.lasted(queue.site, queue.longest_since, local);
  const gaps = [
    never ? countGap(null) : countGap(queue.waiting, limits.waiting),
    waitGap(waited, limits.longest_wait_s),
    never ? shareGap(null, limits.service_level) : shareGap(queue.service_level.value, limits.service_level),
  ];
  drawGauge(parts.waiting, never ? NO_DATA : number(queue.waiting), gaps[0]);
  const nobody = !never && queue.waiting === 0;
  drawGauge(parts.wait, waited === null ? NO_DATA : duration(waited), gaps[1], nobody ? t("hall.nobody_waits") : t("hall.no_data"));
  drawGauge(parts.level, never ? NO_DATA : percent(queue.service_level.value), gaps[2], t(never ? "hall.no_data" : "hall.no_level"));
  node.level = worst(...gaps.map(({ level }) => level), board.levelOfQueue(node.key));
  drawState(node, board, stale);
}

function drawState(node, board, stale) {
  const { parts, queue, level, never } = node;
  setData(node, "tone", never ? "" : level);
  setData(node, "never", never ? "yes" : "");
  setIcon(parts.shape, never ? "unknown" : stale ? "stale" : LEVEL_ICONS[level]);
  if (never) setText(parts.word, t("hall.no_data"));
  else if (stale) setText(parts.word, t("hall.as_of", { time: clock(board.knownUntil(queue.site), board.zone(queue.site)) }));
  else setText(parts.word, t(`hall.${LEVEL_WORDS[level]}`));
  setAttr(node, "aria-label", parts.name.textContent);
}
