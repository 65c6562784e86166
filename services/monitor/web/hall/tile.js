// A queue's tile: how many wait, for how long, how well it was answered, who is there; each with its distance to the limit.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, clock, duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { drawEvidence, evidenceMark } from "../evidence.js";
import { keyOf } from "../store.js";
import { thresholds } from "../thresholds.js";
import { fit, isTooLong, onLines, pattern } from "./fit.js";
import { countGap, shareGap, waitGap, worst } from "./gap.js";
import { drawGauge, fitGauge, gauge } from "./gauge.js";

const COUNTED = ["ready", "talk", "wrap", "break"]; // everybody else who is logged on is one more figure
const LEVEL_ICONS = { "": "ok", warning: "warning", critical: "critical" };

// A name that does not fit is written smaller, then on more lines: [size in units, lines]. Above a site there is less room.
const NAMES = [[2.8, 1], [2.4, 1], [2.1, 1], [1.7, 2], [1.45, 2], [1.2, 3], [1, 3], [0.8, 4]];
const NAMES_ABOVE_A_SITE = [[2.4, 1], [2.1, 1], [1.85, 1], [1.4, 2], [1.2, 2], [1, 3], [0.8, 3]];
const SITES = [1.4, 1.25, 1.1, 0.95, 0.8];

export function createTile() {
  const parts = {
    name: h("h2", { class: "tile-name" }),
    site: h("p", { class: "tile-site" }),
    place: h("span"),
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
  parts.site.append(parts.place, parts.mark);
  parts.names = h("div", { class: "tile-names" }, parts.name, parts.site);
  const head = h("header", { class: "tile-head" }, parts.names, parts.evidence, parts.state);
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
  setText(parts.name, queue.label || queue.queue);
  setData(node, "sited", board.manySites() ? "yes" : "");
  setText(parts.place, board.manySites() ? board.siteLabel(queue.site) : "");
  setText(parts.mark, board.markOf(queue.site));
  drawEvidence(parts.evidence, queue, board);
  setText(parts.waiting.label, t("queue.waiting"));
  setText(parts.wait.label, t("queue.longest"));
  const { formula, target, within_s: within } = queue.service_level;
  const name = `${formula} ${Math.round(target * 100)}/${number(within)}`;
  parts.level.labels = [t("hall.level", { formula: name }), name];
  drawAgents(parts, queue.agents, node.never, queue.waiting);
}

function drawAgents({ counts, agents: list }, agents, never, waiting) {
  const all = Object.entries(agents);
  const rest = all.filter(([state]) => !COUNTED.includes(state) && state !== "offline").reduce((sum, [, n]) => sum + n, 0);
  let longest = 0;
  for (const [state, { node, number: figure, word }] of counts) {
    const n = state === "other" ? rest : (agents[state] ?? 0);
    setText(figure, never ? NO_DATA : number(n));
    setText(word, t(state === "other" ? "hall.other" : `state.${state}`));
    setData(node, "none", never || n === 0 ? "yes" : "");
    setData(node, "wanted", !never && state === "ready" && n === 0 && waiting > 0 ? "yes" : "");
    longest = Math.max(longest, figure.textContent.length);
  }
  setData(list, "long", longest > 3 ? "very" : longest > 2 ? "yes" : "");
}

/** What moves: the longest wait, and with it the tile's own state; all words in their `room`. Remembers the level as `node.level`. */
export function tickTile(node, board, local, room) {
  const { parts, queue, limits, never } = node;
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
  drawState(node, board, reasonOf(node.level, gaps));
  for (const parted of [parts.waiting, parts.wait, parts.level]) fitGauge(parted, room);
  fitNames(parts, room);
}

/** What the tile's level comes from, as the words for it say: too much, too little, or a flag. */
function reasonOf(level, [waiting, wait, share]) {
  if (waiting.level === level || wait.level === level) return "over";
  return share.level === level ? "below" : "flag";
}

function fitNames({ name, site, state, evidence }, room) {
  const sited = site.textContent;
  const beside = `${room} ${pattern(state.textContent)} ${evidence.dataset.provenance}`;
  fit(name, `${beside} ${name.textContent} ${sited !== ""}`, sited ? NAMES_ABOVE_A_SITE : NAMES, { set: onLines });
  if (sited) fit(site, `${beside} ${sited}`, SITES, { cut: isTooLong });
}

/** `reason`: what its level comes from. */
function drawState(node, board, reason) {
  const { parts, queue, level, never, stale } = node;
  setData(node, "tone", never ? "" : level);
  setData(node, "never", never ? "yes" : "");
  setIcon(parts.shape, never ? "unknown" : stale ? "stale" : LEVEL_ICONS[level]);
  if (never) setText(parts.word, t("hall.no_data"));
  else if (stale) setText(parts.word, t("hall.as_of", { time: clock(board.knownUntil(queue.site), board.zone(queue.site)) }));
  else if (!level) setText(parts.word, t("hall.within"));
  else setText(parts.word, t(reason === "flag" ? `severity.${level}` : `hall.${reason}.${level}`));
  setAttr(node, "aria-label", parts.name.textContent);
}
