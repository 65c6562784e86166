// Next actions, in the rail of the floor view: what needs somebody now, and what came of what was done.

import { api } from "/static/shared/api.js";
import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { age, duration } from "/static/shared/format.js";
import { language, t, useStrings } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { may, me } from "/static/shared/me.js";
import { thresholds } from "../thresholds.js";
import { ActionLog } from "./log.js";
import { Marks } from "./marks.js";
import { rank } from "./rank.js";
import strings from "./strings.js";

useStrings(strings);

const LARGE = 2000; // agents; from here on ranking takes milliseconds, and once a second is enough
const SLOWER_MS = 1000;
const LONGEST_TEXT = 1000; // the server's limits
const MOST_AGENTS = 50;

/** The text of {en, zh} in the reader's language. */
const said = (texts) => texts[language() === "zh-CN" ? "zh" : "en"];

/** A number and its unit stay on one line. */
const unbroken = (text) => text.replace(/(\d) (?=s\b|秒)/g, "$1\u00a0");

export class ActionsPanel {
  constructor(root, board) {
    Object.assign(this, { root, board, memory: null, items: [], nodes: new Map(), marks: new Marks(), rankedAt: -Infinity });
    this.title = h("h2");
    this.nothing = h("p", { class: "rail-nothing muted" });
    this.list = h("ol", { class: "actions-list" });
    this.refused = h("p", { class: "actions-refused", role: "alert", hidden: true }, icon("critical"), h("span"));
    const logRoot = h("div", { class: "actions-log" });
    fill(root, h("div", { class: "panel-head" }, this.title), this.refused, this.nothing, h("div", { class: "actions-scroll", tabindex: "0" }, this.list, logRoot));
    this.log = new ActionLog(logRoot, board, (actions) => this.#hear(actions));
    root.hidden = false;
    document.addEventListener("keydown", (event) => this.#key(event));
    me().then(
      () => this.update(),
      () => {}, // the feed's banner says that the server is away
    );
  }

  /** Draw anew: something changed, the language perhaps. */
  update() {
    this.rankedAt = -Infinity;
    this.tick();
    this.log.update();
  }

  tick(local = performance.now()) {
    if (this.board.store.agents.size > LARGE && local - this.rankedAt < SLOWER_MS) return;
    this.rankedAt = local;
    this.#rank(local);
    this.#draw();
    this.log.tick(local);
  }

  #rank(local) {
    const { board, marks, memory } = this;
    const past = this.#isPast();
    const { items, memory: next, done, calm } = rank({
      floor: board.store,
      thresholds,
      now: (site) => board.clocks.now(site, local),
      staleOf: (site) => this.#staleOf(site),
      only: board.site(),
      at: local,
      memory: board.store.loaded && !past ? memory : null,
      done: past ? new Map() : marks.done,
    });
    this.memory = board.store.loaded && !past ? next : null;
    if (!past) marks.done = done;
    Object.assign(this, { items, calm });
  }

  /** A rewound board shows what was to be done then; nobody can do it any more. */
  #isPast() {
    return Boolean(this.board.rewind?.active);
  }

  #staleOf(site) {
    const { board } = this;
    if (board.connection.state !== "live") return board.store.loaded ? "lost" : "never";
    if (board.hasNeverReported(site)) return "never";
    if (board.store.sites.get(site)?.link !== "up") return "down";
    return board.isStale(site) ? "silent" : "";
  }

  #draw() {
    const { items, calm, open } = this;
    setText(this.title, open ? t("act.count", { n: open }) : t("act.heading"));
    setHidden(this.nothing, items.length > 0);
    if (calm) setText(this.nothing, calmText(calm));
    setHidden(this.list, items.length === 0);
    setAttr(this.list, "aria-label", t("act.heading"));
    this.nodes = keyed(this.list, items, ({ id }) => id, () => this.#create(), (node, item) => this.#update(node, item));
  }

  /** How many there are to be done; what is over stays for a moment and is none. */
  get open() {
    return this.items.filter(({ over }) => !over).length;
  }

  #create() {
    const parts = {
      number: h("span", { class: "action-number", "aria-hidden": "true" }),
      shape: icon("warning"),
      severity: h("span", { class: "visually-hidden" }),
      text: h("p", { class: "action-text" }),
      note: h("p", { class: "action-note muted" }),
      advice: h("p", { class: "action-advice" }),
      age: h("span", { class: "action-age muted nowrap" }),
      show: h("button", { class: "button quiet action-show", type: "button" }),
      done: h("button", { class: "button quiet action-done", type: "button" }),
    };
    const { number, shape, severity, text, note, advice, age: old, show, done } = parts;
    const node = h(
      "li",
      { class: "action" },
      h("div", { class: "action-mark" }, number, shape, old),
      h(
        "div",
        { class: "action-words" },
        severity,
        text,
        note,
        h("div", { class: "action-foot" }, advice, h("span", { class: "action-buttons" }, show, done)),
      ),
    );
    show.addEventListener("click", () => this.#show(node.item));
    done.addEventListener("click", () => this.#done(node.item));
    node.parts = parts;
    return node;
  }

  #update(node, item) {
    const { parts } = node;
    node.item = item;
    const n = this.items.indexOf(item) + 1;
    setData(node, "tone", item.over ? "quiet" : item.severity);
    setData(node, "kind", item.kind);
    setData(node, "over", item.over ? "yes" : "");
    setText(parts.number, n);
    setIcon(parts.shape, item.over ? "ok" : item.severity);
    setText(parts.severity, item.over ? t("act.over") : t(`severity.${item.severity}`));
    setText(parts.text, unbroken(said(item.text)));
    setText(parts.note, item.note ? said(item.note) : "");
    setText(parts.advice, unbroken(said(item.advice)));
    setHidden(parts.age, this.#isPast());
    setText(parts.age, item.over ? t("act.over") : age(item.ageMs / 1000));
    setAttr(parts.age, "title", t("act.age", { age: age(item.ageMs / 1000) }));
    setHidden(parts.show, !opens(item));
    setText(parts.show, t("act.show"));
    setAttr(parts.show, "title", t("act.show.hint", { n }));
    setAttr(parts.show, "aria-label", `${t("act.show")}: ${said(item.text)}`);
    setHidden(parts.done, !this.#canBeDone(item));
    setText(parts.done, t("act.done"));
    setAttr(parts.done, "title", t("act.done.hint", { n }));
    setAttr(parts.done, "aria-label", `${t("act.done")}: ${said(item.text)}`);
  }

  #show(item) {
    const { board } = this;
    if (item.queue) board.openQueue(`${item.site}/${item.queue}`);
    else if (item.agents.length) board.openAgent(item.agents[0]);
  }

  #canBeDone(item) {
    return !item.over && may("floor.act") && this.log.works && !this.#isPast();
  }

  async #done(item) {
    if (!this.#canBeDone(item)) return;
    const undo = this.marks.add(item, performance.now(), this.board.clocks.now(item.site));
    this.#refuse("");
    this.tick();
    try {
      await api.post("/api/v1/actions", bodyOf(item));
      await this.log.ask();
    } catch (error) {
      undo();
      this.#refuse(t("act.refused", { why: error.status ? error.detail || error.title : t("act.unreachable") }));
      this.tick();
    }
  }

  #refuse(text) {
    setText(this.refused.lastChild, text);
    setHidden(this.refused, !text);
  }

  #hear(actions) {
    this.marks.hear(actions, performance.now(), Date.now());
    this.update();
  }

  /** 1 to 6 shows, with Shift it is done. By the key's place: Shift+1 is "!" on one keyboard and something else on another. */
  #key(event) {
    const digit = /^(?:Digit|Numpad)([1-6])$/.exec(event.code)?.[1];
    if (!digit || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || document.querySelector("dialog[open]")) return;
    const item = this.items[digit - 1];
    if (!item) return;
    event.preventDefault();
    if (event.shiftKey) this.#done(item);
    else this.#show(item);
  }
}

const opens = (item) => Boolean(item.queue) || item.agents.length > 0;

function calmText(calm) {
  if (calm === "no_data") return t("act.no_data");
  const { ready, longest } = calm;
  return longest === null ? t("act.calm.nobody", { ready }) : t("act.calm", { ready, longest: duration(longest) });
}

/** What the server keeps of it: the figures it looks up itself. It checks what is named, so only what an item is about is. */
function bodyOf({ site, kind, queue, agents, call, transfer, text, advice }) {
  const ids = agents.filter((key) => key.startsWith(`${site}/`)).map((key) => key.slice(site.length + 1));
  const cut = (words) => words.slice(0, LONGEST_TEXT);
  const body = { site, kind, text_en: cut(`${advice.en} ${text.en}.`), text_zh: cut(`${advice.zh}${text.zh}。`) };
  if (queue) body.queue = queue;
  if (ids.length) body.agents = ids.slice(0, MOST_AGENTS);
  if (call) body.call_id = call;
  if (transfer) body.transfer_id = transfer;
  return body;
}
