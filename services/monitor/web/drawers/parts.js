// What both drawers are made of.

import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, clock, duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { SEVERITIES } from "../agentlist.js";
import { summary } from "../floor/card.js";

/** A part of a drawer under its heading; `aside` stands at the heading's right. */
export function section(title, children, aside = null) {
  return h("section", { class: "drawer-part", "aria-label": title }, h("header", { class: "drawer-part-head" }, h("h3", { text: title }), aside), children);
}

/** "site/id" apart: a site's name has no slash. */
export function apart(key) {
  const at = key.indexOf("/");
  return { site: key.slice(0, at), id: key.slice(at + 1) };
}

/** A masked number without its long row of dots: "+•••••••4821" -> "••4821". */
export function shortNumber(number) {
  return number.replace(/^[+\d]*[•*]+/, "••");
}

/** Names and values, one below the other: `draw([[name, value], …])`; a value is text or [{text, open}] to be pressed. */
export class Facts {
  constructor() {
    this.node = h("dl", { class: "drawer-facts" });
  }

  draw(entries) {
    const create = ([name]) => h("div", {}, h("dt", { text: name }), h("dd"));
    keyed(this.node, entries, ([name]) => name, create, (node, [, value]) => drawValue(node.lastChild, value));
  }
}

function drawValue(node, value) {
  if (!Array.isArray(value)) {
    setText(node, value || NO_DATA);
    return;
  }
  const mark = value.map(({ text }) => text).join("\n");
  if (node.mark === mark) return;
  node.mark = mark;
  fill(node, value.length ? value.map(({ text, open }) => link(text, open)) : NO_DATA);
}

/** A word that opens something. */
export function link(text, open) {
  return h("button", { class: "drawer-link", type: "button", text, on: { click: open } });
}

/** Figures side by side: `draw([{name, value, hint, tone}, …])`. */
export class Tiles {
  constructor() {
    this.node = h("dl", { class: "drawer-tiles" });
  }

  draw(entries) {
    const create = () => h("div", { class: "drawer-tile" }, h("dt"), h("dd", { class: "drawer-tile-value" }), h("dd", { class: "drawer-tile-note" }));
    keyed(this.node, entries, ({ name }) => name, create, (node, { name, value, note = "", tone = "" }) => {
      setText(node.children[0], name);
      setText(node.children[1], value);
      setText(node.children[2], note);
      setData(node, "tone", tone);
    });
  }
}

/** What is wrong with what is shown: not of now, not there any more, of another moment. */
export class Notice {
  constructor() {
    this.shape = icon("warning");
    this.text = h("p");
    this.node = h("div", { class: "notice drawer-notice", role: "status", hidden: true }, this.shape, this.text);
  }

  draw(text, tone = "warning") {
    setHidden(this.node, !text);
    setText(this.text, text);
    setData(this.node, "tone", tone);
    setIcon(this.shape, tone);
  }
}

/** Why what is shown of `site` is not of now, in words; "" when it is. */
export function staleness(board, site) {
  if (!board.store.loaded) return t("drawer.loading");
  const view = board.store.sites.get(site);
  const at = clock(board.clocks.now(site), board.zone(site));
  if (isRewind(board)) return t("drawer.rewind", { time: at });
  if (board.connection.state !== "live") return t("drawer.stale.feed", { time: at });
  if (view?.link === "never") return t("drawer.stale.never");
  if (view?.link === "down") return t("drawer.stale.link", { time: clock(view.link_since, board.zone(site)) });
  return board.isStale(site) ? t("drawer.stale.silent", { time: at }) : "";
}

/** Whether the board shows a past moment. */
export function isRewind(board) {
  return Boolean(board.rewind?.active);
}

/** Flags of an entity, worst first. */
export class FlagList {
  constructor(board) {
    this.board = board;
    this.node = h("ul", { class: "drawer-flags" });
  }

  draw(flags, local) {
    const { clocks } = this.board;
    const rank = ({ severity }) => SEVERITIES[severity] ?? 0;
    const sorted = [...flags].sort((a, b) => rank(b) - rank(a) || (a.started < b.started ? -1 : 1));
    setHidden(this.node, sorted.length === 0);
    keyed(this.node, sorted, (flag) => flag.flag_id, createFlag, (node, flag) => {
      const [shape, severity, text, time] = node.children;
      setData(node, "tone", flag.severity);
      setIcon(shape, flag.severity);
      setText(severity, t(`severity.${flag.severity}`));
      setText(text, summary(flag));
      setText(time, duration(clocks.since(flag.site, flag.started, local)));
    });
  }
}

function createFlag() {
  return h("li", { class: "notice drawer-flag" }, icon("warning"), h("span", { class: "visually-hidden" }), h("span"), h("span", { class: "drawer-flag-time num" }));
}

/** A table whose rows are kept: `draw(rows)`, each {key, cells: [text or node], tone}. */
export class Table {
  /** `columns`: [{name, num, grows}]; one that grows takes what the others leave, and its text is cut before theirs is. */
  constructor(caption, columns) {
    this.columns = columns;
    this.body = h("tbody");
    const heads = columns.map(({ name, num }) => h("th", { scope: "col", class: num ? "num" : "", text: name }));
    const table = h("table", { class: "drawer-table" }, h("caption", { class: "visually-hidden", text: caption }), h("thead", {}, h("tr", {}, heads)), this.body);
    this.node = h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
  }

  draw(rows) {
    const looks = ({ num, grows }) => (num ? "num" : grows ? "grows" : "");
    const create = () => h("tr", {}, this.columns.map((column, n) => h(n ? "td" : "th", { scope: n ? null : "row", class: looks(column) })));
    keyed(this.body, rows, ({ key }) => key, create, (node, { cells, tone = "" }) => {
      setData(node, "tone", tone);
      cells.forEach((cell, n) => drawCell(node.children[n], cell));
    });
  }
}

/** A cell is text, or {shape, text, tone, note (a line below)}, or {text, open}. */
function drawCell(node, cell) {
  if (typeof cell === "string") {
    setText(node, cell);
    return;
  }
  const mark = JSON.stringify(cell);
  if (node.mark === mark) return;
  node.mark = mark;
  const { shape, text, state, tone, note, open } = cell;
  const words = h("span", { class: "truncate", text });
  const inner = open ? link(text, open) : h("span", { class: "drawer-mark", data: { state, tone } }, shape && icon(shape), words);
  fill(node, inner, note && h("span", { class: "drawer-cell-note" }, note));
  setAttr(node, "title", node.classList.contains("grows") ? text : null);
}
