// The picture of a WaveStore on a canvas. Lengths are in CSS pixels, times `scale` on the canvas.

import { COLUMN_MS } from "./wavestore.js";

const AXIS = 16; // below the lanes
const HEAD = 18; // above them, for marks
const TICK_S = 10;
const GAP_AFTER_MS = 4 * COLUMN_MS; // nothing told for so long is a gap
const MARK_ROOM = 10; // from the middle of a mark to its words
const FULL = 0.5; // what fills its lane

/** Paint; `colours` and `words` by name, `now` the right edge in ms since 1970. */
export function paint(canvas, { width, height, scale, store, now, colours, words, font }) {
  const one = { canvas, width: width / scale, height: height / scale, store, now, colours, words };
  one.x = (at) => one.width - ((now - at) / store.shownMs) * one.width;
  one.lane = (one.height - AXIS - HEAD) / 2;
  canvas.setTransform(scale, 0, 0, scale, 0, 0);
  canvas.clearRect(0, 0, one.width, one.height);
  canvas.font = `11px ${font}`;
  canvas.textBaseline = "middle";
  grid(one);
  stretches(one);
  voices(one);
  names(one);
  marks(one);
}

function grid({ canvas, width, height, lane, x, now, store, colours, words }) {
  canvas.fillStyle = colours.text;
  canvas.strokeStyle = colours.faint;
  canvas.lineWidth = 1;
  for (let s = 0; s < store.shownMs / 1000; s += TICK_S) {
    const at = Math.round(x(now - s * 1000)) - 0.5;
    if (s) line(canvas, at, HEAD, at, height - AXIS);
    canvas.textAlign = s ? "center" : "right";
    canvas.fillText(s ? words.ago(s) : words.now, s ? at : width - 4, height - AXIS / 2 + 1);
  }
  canvas.strokeStyle = colours.line;
  line(canvas, 0, HEAD + lane, width, HEAD + lane);
}

/** What was kept back is hatched, what is missing is empty between two edges. */
function stretches(one) {
  const { canvas, store, width, lane, colours, words, x } = one;
  for (const { kind, from, to } of runs(store.columns, one.now - store.shownMs)) {
    const [left, right] = [Math.max(0, x(from)), Math.min(width, x(to))];
    if (kind === "muted") hatch(one, left, right);
    canvas.strokeStyle = colours.line;
    canvas.setLineDash([2, 3]);
    line(canvas, left, HEAD, left, HEAD + 2 * lane);
    line(canvas, right, HEAD, right, HEAD + 2 * lane);
    canvas.setLineDash([]);
    const word = kind === "muted" ? words.held : words.missing;
    if (canvas.measureText(word).width + 12 > right - left) continue;
    label(one, word, (left + right) / 2, HEAD + lane);
  }
}

function hatch({ canvas, lane, colours }, left, right) {
  canvas.save();
  canvas.beginPath();
  canvas.rect(left, HEAD, right - left, 2 * lane);
  canvas.clip();
  canvas.strokeStyle = colours.line;
  for (let at = left - 2 * lane - (left % 7); at < right; at += 7) line(canvas, at, HEAD + 2 * lane, at + 2 * lane, HEAD);
  canvas.restore();
}

function label({ canvas, colours }, word, middle, y) {
  const room = canvas.measureText(word).width + 10;
  canvas.fillStyle = colours.ground;
  canvas.fillRect(middle - room / 2, y - 8, room, 16);
  canvas.fillStyle = colours.text;
  canvas.textAlign = "center";
  canvas.fillText(word, middle, y + 0.5);
}

/** Stretches of `columns` that are kept back or missing, also where nothing was told. */
export function runs(columns, since) {
  const found = [];
  let last = null;
  for (const { at, kind } of columns) {
    if (at >= since) {
      if (last && at - last.at > GAP_AFTER_MS) join(found, "gap", last.at, at - COLUMN_MS);
      if (kind === "gap" || kind === "muted") join(found, kind, at - COLUMN_MS, at);
    }
    last = { at };
  }
  return found;
}

function join(found, kind, from, to) {
  const before = found.at(-1);
  if (before?.kind === kind && from - before.to < 2 * COLUMN_MS) before.to = to;
  else found.push({ kind, from, to });
}

/** How much of its lane a loudness takes: a quiet voice is seen, and the noise of a line hardly. */
function fullnessOf(peak) {
  return Math.min(1, (peak / FULL) ** 0.6);
}

/** A bar for each pixel or so, out from the middle of its lane. */
function voices({ canvas, store, now, width, lane, x, colours }) {
  const wide = (COLUMN_MS / store.shownMs) * width;
  for (const [side, number] of [["agent", 0], ["customer", 1]]) {
    const middle = HEAD + lane * (number + 0.5);
    canvas.fillStyle = colours[side];
    for (const column of store.columns) {
      if (column.at < now - store.shownMs || column.kind === "gap" || column[side] === null) continue;
      const tall = Math.max(column.kind === "sound" ? 0.5 : 0, (fullnessOf(column[side]) * (lane - 4)) / 2);
      canvas.fillRect(x(column.at) - wide, middle - tall, Math.max(0.6, wide * 0.75), 2 * tall);
    }
  }
}

function names(one) {
  const { canvas, store, lane, words } = one;
  const mixed = store.columns.at(-1)?.customer === null;
  const said = mixed ? [words.both] : [words.agent, words.customer];
  said.forEach((word, number) => {
    const room = canvas.measureText(word).width + 10;
    label(one, word, room / 2, HEAD + lane * number + 10);
  });
}

const SHAPES = {
  hold: (c, x, y) => (c.rect(x - 4, y - 5, 3, 10), c.rect(x + 1, y - 5, 3, 10)),
  retrieve: (c, x, y) => (c.moveTo(x - 4, y - 5), c.lineTo(x + 5, y), c.lineTo(x - 4, y + 5), c.closePath()),
  transfer: (c, x, y) => (c.moveTo(x, y - 6), c.lineTo(x + 6, y), c.lineTo(x, y + 6), c.lineTo(x - 6, y), c.closePath()),
  flag: (c, x, y) => (c.moveTo(x, y - 6), c.lineTo(x + 6, y + 5), c.lineTo(x - 6, y + 5), c.closePath()),
  note: (c, x, y) => c.rect(x - 5, y - 5, 10, 10),
};

/** Each mark has its line and shape, and its words where they cover no other: right of it, or left when that is the edge. */
function marks(one) {
  const { canvas, store, width, height, colours, x, now } = one;
  const shown = store.marks.filter(({ at }) => at <= now && at >= now - store.shownMs).map((mark) => ({ ...mark, middle: x(mark.at) }));
  let taken = 0; // words end here
  shown.forEach(({ kind, label: word, middle }, number) => {
    canvas.strokeStyle = colours[kind] ?? colours.note;
    canvas.fillStyle = canvas.strokeStyle;
    canvas.lineWidth = 1.5;
    line(canvas, middle, HEAD - 2, middle, height - AXIS);
    canvas.lineWidth = 1;
    canvas.beginPath();
    (SHAPES[kind] ?? SHAPES.note)(canvas, middle, HEAD / 2);
    canvas.fill();
    const room = canvas.measureText(word).width + MARK_ROOM;
    const next = shown[number + 1]?.middle;
    const right = middle + room < (next === undefined ? width : next - MARK_ROOM);
    const left = !right && next === undefined && middle - room > Math.max(taken, (shown[number - 1]?.middle ?? -MARK_ROOM) + MARK_ROOM);
    taken = right ? middle + room : middle + MARK_ROOM;
    if (!right && !left) return;
    canvas.textAlign = right ? "left" : "right";
    canvas.fillText(word, right ? middle + MARK_ROOM : middle - MARK_ROOM, HEAD / 2);
  });
}

function line(canvas, fromX, fromY, toX, toY) {
  canvas.beginPath();
  canvas.moveTo(fromX, fromY);
  canvas.lineTo(toX, toY);
  canvas.stroke();
}
