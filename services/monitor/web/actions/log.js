// What was done, and what came of it five minutes later.

import { api } from "/static/shared/api.js";
import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { age, clock, NO_DATA, number, percent, seconds } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { spoken } from "./phrases.js";

const ASK_MS = 15_000;
const KEPT = 30;
const SHOWN = 3;
const MOST = 5; // figures in one line

// The figures of an action: the word for it, where the server has it, and whether it is seconds.
const FIGURES = [
  ["waiting", (figures) => figures.waiting, false],
  ["longest", (figures) => figures.longest_wait_s ?? (figures.queue && figures.waiting === 0 ? 0 : null), true],
  ["ready", (figures) => stateCount(figures, "ready"), false],
  ["wrap", (figures) => stateCount(figures, "wrap"), false],
  ["level", (figures) => (figures.service_level === null || figures.service_level === undefined ? null : percent(figures.service_level)), false],
];

/** How many are in `state`; a server that names only states that occur means 0 by silence. */
const stateCount = ({ agents }, state) => (agents ? (agents[state] ?? 0) : null);

export class ActionLog {
  /** `heard(actions)` is told every list that comes. */
  constructor(root, board, heard) {
    Object.assign(this, { root, board, heard, actions: [], works: false, all: false });
    this.title = h("h3");
    this.list = h("ul", { class: "actions-done" });
    this.more = h("button", { class: "button quiet", type: "button" });
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      this.update();
    });
    fill(root, this.title, this.list, this.more);
    this.ask();
    setInterval(() => document.hidden || this.ask(), ASK_MS);
  }

  /** Ask the server for the list. A server without one, or without its database, hides what needs it. */
  async ask() {
    try {
      const { actions } = await api.get("/api/v1/actions", { limit: KEPT });
      Object.assign(this, { works: true, actions });
      this.heard(actions);
    } catch (error) {
      if (error.status !== 0) this.works = false; // away for a moment is not gone
      this.update();
    }
  }

  update() {
    const site = this.board.site();
    const actions = this.actions.filter((action) => !site || action.site === site);
    setHidden(this.root, actions.length === 0 || Boolean(this.board.rewind?.active)); // its effects are of now
    setText(this.title, t("act.log"));
    setHidden(this.more, actions.length <= SHOWN);
    setText(this.more, this.all ? t("act.log.fewer") : t("act.log.more", { n: actions.length - SHOWN }));
    setAttr(this.more, "aria-expanded", String(this.all));
    this.nodes = keyed(
      this.list,
      actions.slice(0, this.all ? KEPT : SHOWN),
      ({ id }) => String(id),
      create,
      (node, action) => draw(node, action, this.board),
    );
  }

  tick() {
    for (const node of this.nodes?.values() ?? []) drawEffect(node);
  }
}

function create() {
  const parts = { text: h("p", { class: "done-text" }), effect: h("p", { class: "done-effect" }), by: h("span", { class: "done-by muted" }) };
  const node = h("li", { class: "done" }, parts.text, h("div", { class: "done-foot" }, parts.effect, parts.by));
  node.parts = parts;
  return node;
}

function draw(node, action, board) {
  node.action = action;
  const text = language() === "zh-CN" ? action.text_zh : action.text_en;
  setText(node.parts.text, text);
  setAttr(node.parts.text, "title", text);
  setText(node.parts.by, t("act.log.by", { time: clock(action.done_at, board.zone(action.site)), by: action.by_name || action.by }));
  drawEffect(node);
}

function drawEffect({ action, parts }) {
  const { before, after, effect } = action;
  const measured = effect === "measured" && before.known && after?.known;
  setData(parts.effect, "effect", measured ? "measured" : effect ? "no_data" : "pending");
  if (measured) setText(parts.effect, changes(before, after));
  else if (effect) setText(parts.effect, t("act.effect.none"));
  else setText(parts.effect, pending(action));
}

const inWords = (value, isTime) => {
  if (value === null || value === undefined) return NO_DATA;
  if (typeof value === "string") return value;
  return isTime ? spoken(value)[language() === "zh-CN" ? "zh" : "en"] : number(value);
};

/** "waiting 3 → 0, longest 48 s → 0 s": of the queue what differs, of agents their states, of a transfer how it ended. */
function changes(before, after) {
  const words = [...ofAgents(before, after), ...ofTransfer(before, after), ...ofQueue(before, after)];
  return words.length ? words.slice(0, MOST).join(", ") : t("act.effect.same");
}

function ofQueue(before, after) {
  return FIGURES.flatMap(([word, value, isTime]) => {
    const [was, is] = [value(before), value(after)];
    if (was === is || was === null) return [];
    return [t(`act.effect.${word}`, { before: inWords(was, isTime), after: inWords(is, isTime) })];
  });
}

function ofAgents({ queue, of: agents = [] }, { of: later = [] }) {
  if (queue) return []; // an action about a queue is judged by its callers
  return agents.map((agent) => {
    const is = later.find((one) => one.agent_id === agent.agent_id);
    return t("act.effect.agent", { name: agent.name || agent.agent_id, before: t(`state.${agent.state}`), after: is ? t(`state.${is.state}`) : NO_DATA });
  });
}

function ofTransfer({ transfer: was }, { transfer: is }) {
  if (!was) return [];
  return [t("act.effect.transfer", { before: seconds(was.took_s), after: is && is.took_s !== null ? seconds(is.took_s) : NO_DATA })];
}

function pending({ effect_due_at: due, before }) {
  const left = Date.parse(due) - Date.now();
  if (left <= 0) return t("act.effect.due");
  const figures = FIGURES.flatMap(([word, value, isTime]) => {
    const was = value(before);
    return was === null || was === undefined ? [] : [t(`act.before.${word}`, { n: inWords(was, isTime) })];
  });
  return t(figures.length ? "act.effect.pending" : "act.effect.pending.no_figures", { time: age(left / 1000), figures: figures.join(", ") });
}
