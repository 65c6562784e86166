// What was done, and what came of it five minutes later.

import { api } from "/static/shared/api.js";
import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { age, clock, NO_DATA, number, percent, seconds } from "/static/shared/format.js";
import { known, language, t } from "/static/shared/i18n.js";
import { inOneFormat, spoken } from "./phrases.js";
import { DONE_MS } from "./rank.js";

const ASK_MS = 15_000;
const DUE_MS = 3000; // an effect that is due is there in a moment
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

const TOLD_AS_0 = ["waiting", "ready"]; // none of the others is worth a word

/** How many are in `state`; a server that names only states that occur means 0 by silence. */
const stateCount = ({ agents }, state) => (agents ? (agents[state] ?? 0) : null);

export class ActionLog {
  /** `heard(actions)` is told every list that comes. */
  constructor(root, board, heard) {
    Object.assign(this, { root, board, heard, actions: [], works: false, all: false, asked: -Infinity });
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
    this.asked = performance.now();
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

  tick(local = performance.now()) {
    for (const node of this.nodes?.values() ?? []) drawEffect(node, this.board, local);
    const due = this.actions.some((action) => !action.effect && secondsLeft(action, this.board, local) <= 0);
    if (due && local - this.asked > DUE_MS && !document.hidden) this.ask();
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
  const text = (language() === "zh-CN" ? action.text_zh : action.text_en) || inBrief(action, board);
  setText(node.parts.text, text);
  setAttr(node.parts.text, "title", text);
  setText(node.parts.by, t("act.log.by", { time: clock(action.before.at ?? action.done_at, board.zone(action.site)), by: action.by_name || action.by }));
  drawEffect(node, board);
}

/** What an action was, for who may not read its words: they may name agents whom they do not see. */
function inBrief({ site, kind, queue, before }, board) {
  const what = t(known(`act.kind.${kind}`) ? `act.kind.${kind}` : "act.kind.other");
  const about = [queue && board.queueLabel(site, queue), ...(before.of ?? []).map((agent) => agent.name || agent.agent_id)].filter(Boolean);
  return about.length ? t("act.kind.about", { what, about: about.join(t("act.join")) }) : what;
}

function drawEffect({ action, parts }, board, local) {
  const { before, after, effect } = action;
  const measured = effect === "measured" && before.known && after?.known;
  setData(parts.effect, "effect", measured ? "measured" : effect ? "no_data" : "pending");
  if (measured) setText(parts.effect, changes(before, after));
  else if (effect) setText(parts.effect, t("act.effect.none"));
  else setText(parts.effect, pending(action, secondsLeft(action, board, local)));
}

const inWords = (value, isTime) => {
  if (value === null || value === undefined) return NO_DATA;
  if (typeof value === "string") return value;
  return isTime ? spoken(value).en : number(value);
};

/** Words with times of `inWords`, all in one format. */
const said = (words) => inOneFormat({ en: words, zh: words })[0][language() === "zh-CN" ? "zh" : "en"];

/** "waiting 3 → 0, longest 48 s → 0 s": of the queue what differs, of agents their states, of a transfer how it ended. */
function changes(before, after) {
  const words = wasRunning(before) ? ofTransfer(before, after) : before.queue ? ofQueue(before, after) : ofOthers(before, after);
  return words.length ? said(words.slice(0, MOST).join(t("act.join_effects"))) : t("act.effect.same");
}

const wasRunning = ({ transfer }) => transfer?.outcome === "running";

/** Of the agents; of nobody in particular the whole site, which one agent is only a part of. */
const ofOthers = (before, after) => (before.of?.length ? ofAgents(before, after) : ofQueue(before, after));

function ofQueue(before, after) {
  return FIGURES.flatMap(([word, value, isTime]) => {
    const [was, is] = [value(before), value(after)];
    if (was === is || was === null) return [];
    return [t(`act.effect.${word}`, { before: inWords(was, isTime), after: inWords(is, isTime) })];
  });
}

function ofAgents({ of: agents = [] }, { of: later = [] }) {
  return agents.map((agent) => {
    const is = later.find((one) => one.agent_id === agent.agent_id);
    return t("act.effect.agent", { name: agent.name || agent.agent_id, before: t(`state.${agent.state}`), after: is ? t(`state.${is.state}`) : NO_DATA });
  });
}

function ofTransfer({ transfer: was }, { transfer: is }) {
  const took = { before: seconds(was.took_s), after: seconds(is?.took_s) };
  if (!is || is.took_s === null) return [t("act.effect.transfer.unknown", took)];
  return [t("act.effect.transfer", { ...took, how: t(`transfers.${is.outcome}`) })];
}

/** Until five minutes have passed on the floor's clock; where that was not known, by ours. */
function secondsLeft({ site, before, effect_due_at: due }, board, local) {
  const passed = board.clocks.since(site, before.at, local);
  return passed === null ? (Date.parse(due) - Date.now()) / 1000 : DONE_MS / 1000 - passed;
}

function pending({ before }, left) {
  if (left <= 0) return t("act.effect.due");
  const figures = figuresBefore(before);
  return t(figures.length ? "act.effect.pending" : "act.effect.pending.no_figures", { time: age(left), figures: said(figures.join(t("act.join_effects"))) });
}

/** As `changes` will tell them: of the queue, or of the agents. */
function figuresBefore(before) {
  if (wasRunning(before)) return [t("act.before.transfer", { n: seconds(before.transfer.took_s) })];
  if (!before.queue && before.of?.length)
    return before.of.map((agent) => t("act.before.agent", { name: agent.name || agent.agent_id, state: t(`state.${agent.state}`) }));
  return FIGURES.flatMap(([word, value, isTime]) => {
    const was = value(before);
    return was === null || was === undefined || (was === 0 && !TOLD_AS_0.includes(word)) ? [] : [t(`act.before.${word}`, { n: inWords(was, isTime) })];
  });
}
