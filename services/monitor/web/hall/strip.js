// At the bottom: the worst of what is flagged, few and large; while there is nothing, the day so far.

import { fill, h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, duration, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";

const ACROSS = 3; // as many side by side on a screen of 16:9
const DAY = ["offered", "answered", "abandoned"];

export class Strip {
  constructor(root, board) {
    Object.assign(this, { root, board, nodes: new Map() });
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
    const shown = items.slice(0, ACROSS);
    setHidden(this.calm, shown.length > 0);
    setHidden(this.list, shown.length === 0);
    setHidden(this.more, items.length <= ACROSS);
    setText(this.moreNumber, `+${number(items.length - shown.length)}`);
    setText(this.moreWord, t("strip.more"));
    this.nodes = keyed(this.list, shown, (item) => item.key, createFlag, (node, item) => updateFlag(node, item, board));
    this.#drawCalm();
    this.tick();
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
    for (const { item, parts } of this.nodes.values()) {
      const { board } = this;
      setText(parts.time, duration(board.lasted(item.site, item.started, local)));
      const over = item.raised && item.raised > item.started ? board.lasted(item.site, item.raised, local) : null;
      setText(parts.over, over === null ? "" : t("strip.over", { time: duration(over) }));
    }
  }
}

function createFlag() {
  const parts = {
    shape: icon("warning"),
    severity: h("span", { class: "flag-severity" }),
    where: h("span", { class: "flag-where truncate" }),
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
    setText(parts.text, board.summary(item.flag));
    setText(parts.where, board.whereOf(item.flag));
    return;
  }
  const { from_agent: from, to_agent: agent, to_queue: queue, to_number: to } = item.transfer;
  const target = agent ? board.agentName(item.site, agent) : queue ? board.queueLabel(item.site, queue) : to;
  setText(parts.text, t("strip.transfer", { from: board.agentName(item.site, from), to: target || "?" }));
  setText(parts.where, board.manySites() ? board.siteLabel(item.site) : "");
}
