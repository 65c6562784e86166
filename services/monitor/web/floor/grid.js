// The dense view: a header that sorts, and a line of cells for each agent.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { language, t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { drawEvidence, evidenceMark } from "../evidence.js";
import { judged, transferLabel, transferText, transferTime, wrapText } from "./activity.js";
import { summary } from "./card.js";
import { directionText } from "./columns.js";
import { listenedText } from "./listened.js";

/** How wide the columns are together, in rem, and as a grid's template. */
export function gridShape(columns) {
  return {
    rem: columns.reduce((sum, { width }) => sum + width, 0) + 1,
    template: columns.map(({ width }) => `minmax(${width}rem, ${width}fr)`).join(" "),
  };
}

// ---------------------------------------------------------------- header

export class GridHead {
  /** `onSort(id)` and `onMove(id, before)`: a column was clicked, or dropped before another ("" for the end). */
  constructor({ onSort, onMove }) {
    Object.assign(this, { onSort, onMove, columns: [] });
    this.node = h("div", { class: "grid-head", role: "rowgroup" });
    this.row = h("div", { class: "grid-row grid-titles", role: "row", "aria-rowindex": "1" });
    this.node.append(this.row);
  }

  draw(columns, sort) {
    const written = `${language()}|${columns.map(({ id }) => id)}|${sort}`;
    if (written === this.written) return;
    const focused = this.row.contains(document.activeElement) ? document.activeElement.closest("[data-column]") : null;
    this.written = written;
    fill(this.row, columns.map((column) => this.#title(column, sort)));
    if (focused) this.row.querySelector(`[data-column="${focused.dataset.column}"] button`)?.focus();
  }

  #title({ id, end }, sort) {
    const sorted = sort === id ? "ascending" : sort === `-${id}` ? "descending" : "none";
    const name = t(`column.${id}`);
    const button = h("button", { class: "grid-title", type: "button", title: t(`column.${id}.hint`), draggable: "true" }, h("span", { class: "truncate" }, name));
    if (sorted !== "none") button.append(icon(sorted === "ascending" ? "up" : "down"));
    button.addEventListener("click", () => this.onSort(id));
    const node = h("div", { class: "grid-cell", role: "columnheader", "aria-sort": sorted, data: { column: id, end: end ? "yes" : "" } }, button);
    this.#drags(node, button, id);
    return node;
  }

  /** A title that is dragged onto another goes before it. The chooser does the same for the keyboard. */
  #drags(node, button, id) {
    button.addEventListener("dragstart", (event) => {
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", id);
      this.dragged = id;
    });
    node.addEventListener("dragover", (event) => {
      if (!this.dragged || this.dragged === id) return;
      event.preventDefault();
      setData(node, "drop", "yes");
    });
    node.addEventListener("dragleave", () => setData(node, "drop", ""));
    node.addEventListener("drop", (event) => {
      event.preventDefault();
      if (this.dragged) this.onMove(this.dragged, id);
    });
    button.addEventListener("dragend", () => {
      this.dragged = null;
      for (const one of this.row.children) setData(one, "drop", "");
    });
  }
}

// ---------------------------------------------------------------- a line

export function createRow(columns, open) {
  const node = h("div", { class: "grid-row agent", role: "row", tabindex: "-1" });
  node.addEventListener("click", () => open(node.item.key));
  node.cells = columns.map((column) => createCell(column));
  for (const { cell } of node.cells) node.append(cell);
  return node;
}

function createCell(column) {
  const text = h("span", { class: "truncate" });
  const cell = h("div", { class: "grid-cell", role: "gridcell", data: { column: column.id, end: column.end ? "yes" : "" } });
  const parts = { column, cell, text, ...PARTS[column.id]?.() };
  cell.append(...[parts.before, text, parts.after].flat().filter(Boolean));
  return parts;
}

const mark = (name, shape) => h("span", { class: `card-mark ${name}`, role: "img", hidden: true }, icon(shape));

const PARTS = {
  state: () => ({ before: h("span", { class: "card-shape" }, icon("unknown")) }),
  direction: () => ({ before: h("span", { class: "card-direction", hidden: true }, icon("inbound")) }), // its word: title and reader
  hold: () => ({ before: h("span", { class: "cell-hold", hidden: true }, icon("hold")) }),
  now: () => ({ after: h("span", { class: "cell-time" }) }),
  name: () => {
    const parts = {
      flag: mark("card-flag", "warning"),
      flapping: mark("card-flapping", "flapping"),
      listened: mark("card-listened", "listened"),
      provenance: evidenceMark("card-mark card-provenance"),
      age: h("span", { class: "card-age" }),
    };
    parts.after = h("span", { class: "card-marks" }, Object.values(parts));
    return parts;
  },
};

/** Draw everything of `item` that does not move by itself. `around` see card.js. */
export function drawRow(node, item, around, board, index) {
  const { agent } = item;
  setData(node, "state", agent.state);
  setData(node, "stale", around.stale ? "yes" : "");
  setData(node, "flagged", around.flag?.severity);
  setAttr(node, "aria-rowindex", index + 2); // the header is the first
  for (const parts of node.cells) {
    if (!parts.column.moves) setText(parts.text, parts.column.text(item, board));
    DRAW[parts.column.id]?.(parts, agent, around, board);
  }
}

const DRAW = {
  state: (parts, agent) => setIcon(parts.before.firstChild, agent.state),
  direction(parts, agent) {
    setHidden(parts.before, !agent.call);
    if (!agent.call) return;
    const { direction } = agent.call;
    setIcon(parts.before.firstChild, ["outbound", "internal"].includes(direction) ? direction : "inbound");
    setAttr(parts.cell, "title", directionText(agent.call));
  },
  caller: (parts, agent) => setAttr(parts.cell, "title", agent.call?.peer || null),
  name(parts, agent, { flag, title }, board) {
    setAttr(parts.text, "title", title);
    drawMarks(parts, agent, flag, board);
  },
  now(parts, agent, { transfer }, board) {
    setData(parts.cell, "transfer", transfer ? "yes" : "");
    setText(parts.text, transfer ? transferText(agent, transfer, board) : parts.column.text({ agent }, board));
    setAttr(parts.cell, "aria-label", transfer ? transferLabel(agent, transfer, board) : null);
    setAttr(parts.cell, "title", transfer ? transferLabel(agent, transfer, board) : null);
  },
};

/** The marks beside a name: flagged, flapping, listened to, how it is known. The same on cards. */
export function drawMarks(parts, agent, flag, board) {
  setHidden(parts.flag, !flag);
  if (flag) {
    setIcon(parts.flag.firstChild, flag.severity);
    setData(parts.flag, "tone", flag.severity);
    label(parts.flag, summary(flag));
  }
  setHidden(parts.listened, !agent.listened);
  if (agent.listened) {
    setData(parts.listened, "tone", agent.unordered ? "critical" : "");
    label(parts.listened, listenedText(agent));
  }
  setHidden(parts.flapping, !agent.flapping_since);
  if (agent.flapping_since) label(parts.flapping, t("card.flapping", { time: board.time(agent.site, agent.flapping_since) }));
  drawEvidence(parts.provenance, agent, board);
}

export function label(node, text) {
  setAttr(node, "aria-label", text);
  setAttr(node, "title", text);
}

/** What moves by itself. */
export function tickRow(node, board, local) {
  const { item, around } = node;
  const { agent } = item;
  for (const parts of node.cells) {
    if (parts.column.moves) TICK[parts.column.id]?.(parts, item, around, board, local);
    else if (parts.age) tickAge(parts.age, agent, around, board, local);
  }
}

/** How old a tile is that is not of now. */
export function tickAge(node, agent, around, board, local) {
  setText(node, around.stale ? board.ageText(agent, local) : "");
}

function plain(parts, item, around, board, local) {
  setText(parts.text, parts.column.text(item, board, local));
}

const TICK = {
  time(parts, { agent }, around, board, local) {
    plain(parts, { agent }, around, board, local);
    const { tone, title } = judged(agent.state, board.clocks.since(agent.site, agent.since, local));
    setData(parts.cell, "tone", tone);
    setAttr(parts.cell, "title", title);
  },
  call_time: plain,
  seen: plain,
  wrap_left: plain,
  hold(parts, item, { held }, board, local) {
    const seconds = held ? board.clocks.since(item.agent.site, held, local) : null;
    plain(parts, item, null, board, local);
    setHidden(parts.before, !held);
    setData(parts.cell, "tone", judged("hold", seconds).tone);
  },
  now(parts, { agent }, { transfer }, board, local) {
    const { text, slow } = transfer ? transferTime(transfer, board.clocks, local) : { text: wrapText(agent, board.clocks, local), slow: false };
    setText(parts.after, text);
    setData(parts.cell, "slow", slow ? "yes" : "");
  },
};
