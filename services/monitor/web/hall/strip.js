// At the bottom: the worst of what is flagged, few and large; while there is nothing, the day so far.

import { fill, h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, duration, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { fit, isTooLong, onLines, pattern } from "./fit.js";
import { Rules, distanceOf } from "./flagged.js";

const ACROSS = 3; // at most so many side by side, fewer where their words need the room
const SMALLER = [1, 0.9, 0.8, 0.72];
const SENTENCES = [[1, 3], [0.9, 3], [0.8, 4], [0.72, 4]]; // [of the usual size, lines]
const DAY = ["offered", "answered", "abandoned"];

export class Strip {
  constructor(root, board) {
    Object.assign(this, { root, board, rules: new Rules(), nodes: new Map(), items: [] });
    this.list = h("ul", { class: "strip-list" });
    this.more = h("div", { class: "strip-more", hidden: true });
    this.moreNumber = h("strong");
    this.moreWord = h("span");
    this.more.append(this.moreNumber, this.moreWord);
    this.calmShape = icon("ok");
    this.calmText = h("span");
    this.day = h("div", { class: "strip-day" });
    this.calm = h("div", { class: "strip-calm" }, h("p", { class: "strip-none" }, this.calmShape, this.calmText), this.day);
    fill(root, this.list, this.more, this.calm);
  }

  update() {
    const { board } = this;
    const { loaded } = board.store;
    setHidden(this.root, !loaded || !board.shownQueues().length);
    const items = loaded ? board.worst() : [];
    this.items = items;
    setHidden(this.calm, items.length > 0);
    setHidden(this.list, items.length === 0);
    setText(this.moreWord, t("strip.more"));
    this.#drawCalm();
    this.#arrange(performance.now());
  }

  /** As many flags as can be read whole. */
  #arrange(local) {
    for (let across = Math.min(ACROSS, this.items.length); across > 0; across -= 1) {
      const shown = this.items.slice(0, across);
      setHidden(this.more, this.items.length <= across);
      setText(this.moreNumber, `+${number(this.items.length - across)}`);
      this.nodes = keyed(this.list, shown, (item) => item.key, createFlag, (node, item) => updateFlag(node, item, this.board));
      this.#draw(local);
      const room = `${this.list.clientWidth} ${this.list.clientHeight} ${across}`;
      const fits = [...this.nodes.values()].map((node) => fitFlag(node, room));
      if (fits.every(Boolean)) return;
    }
  }

  #drawCalm() {
    const live = this.board.anyLive();
    setIcon(this.calmShape, live ? "ok" : "unknown");
    setData(this.calm, "tone", live ? "ok" : "quiet");
    setText(this.calmText, t(live ? "strip.none" : "strip.no_data"));
    const counted = this.board.shownQueues().filter((queue) => queue.since !== null && !this.board.hasNeverReported(queue.site));
    const sum = (name) => (counted.length ? number(counted.reduce((all, queue) => all + queue[name], 0)) : NO_DATA);
    fill(
      this.day,
      h("span", { class: "day-label" }, t("strip.today")),
      DAY.map((name) => h("span", { class: "day-figure" }, h("strong", {}, sum(name)), " ", t(`strip.${name}`))),
    );
  }

  tick(local) {
    const before = this.#times();
    this.#draw(local);
    if (this.#times() !== before) this.#arrange(local); // a time became longer, and its words have less room
  }

  #times() {
    return [...this.nodes.values()].map(({ parts: { time, over } }) => pattern(`${time.textContent} ${over.textContent}`)).join();
  }

  #draw(local) {
    const { board, rules } = this;
    for (const { item, parts } of this.nodes.values()) {
      const time = duration(board.lasted(item.site, item.started, local));
      setText(parts.time, time);
      setData(parts.time, "long", time.length > 5 ? "yes" : "");
      setText(parts.over, distanceOf(item, board, rules, local));
    }
  }
}

function createFlag() {
  const parts = {
    shape: icon("warning"),
    severity: h("span", { class: "flag-severity" }),
    where: h("span", { class: "flag-where" }),
    text: h("p", { class: "flag-text" }),
    time: h("strong", { class: "flag-time" }),
    over: h("span", { class: "flag-over" }),
  };
  const head = h("p", { class: "flag-head" }, parts.severity, parts.where);
  const node = h(
    "li",
    { class: "hall-flag" },
    h("span", { class: "flag-shape" }, parts.shape),
    h("div", { class: "flag-words" }, head, parts.text),
    h("div", { class: "flag-times" }, parts.time, parts.over),
  );
  node.parts = parts;
  return node;
}

function updateFlag(node, item, board) {
  const { parts } = node;
  node.item = item;
  setData(node, "tone", item.severity);
  setData(node, "stale", board.isStale(item.site) ? "yes" : "");
  setIcon(parts.shape, item.severity);
  setText(parts.severity, t(`severity.${item.severity}`));
  if (item.flag) {
    const summary = board.summary(item.flag);
    setText(parts.text, summary);
    setText(parts.where, board.whereOf(item.flag).split(" · ").filter((name) => !summary.includes(name)).join(" · "));
    return;
  }
  const { from_agent: from, to_agent: agent, to_queue: queue, to_number: to } = item.transfer;
  const target = agent ? board.agentName(item.site, agent) : queue ? board.queueLabel(item.site, queue) : to;
  setText(parts.text, t("strip.transfer", { from: board.agentName(item.site, from), to: target || "?" }));
  setText(parts.where, board.manySites() ? board.siteLabel(item.site) : "");
}

/** Make a flag's words fit; false when they do not. Where it is may go without harm: the sentence says whom it is about. */
function fitFlag({ parts: { text, where, time, over } }, room) {
  const key = `${room} ${pattern(`${time.textContent} ${over.textContent}`)}`;
  setHidden(where, false);
  if (!fit(where, `${key} ${where.textContent}`, SMALLER, { cut: isTooLong })) setHidden(where, true);
  return fit(text, `${key} ${text.textContent}`, SENTENCES, { set: onLines });
}
