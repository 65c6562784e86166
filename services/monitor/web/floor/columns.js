// The columns of the dense view: what each shows, how it sorts, and how wide it is. Which ones are shown, and in which order,
// the reader chooses.
//
// A column: {id, width (rem), end (aligned to the end), value(item, board) -> number, string or null, text(item, board, local)
// -> string, moves (its text changes with time alone)}. `draw` (grid.js) overrides text where a cell is more than text.

import { age, duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { collator, STATES } from "../agentlist.js";
import { heldSince, whyText, wrapLeft } from "./activity.js";

const STATE_ORDER = Object.fromEntries(STATES.map((state, at) => [state, at]));

// rem in which 99:59:59 fits: as the time in state is written, as others are, and with a mark before it
const TIME = { large: 5.25, plain: 4.5, marked: 5.7 };

const ofCall = (read) => ({ agent }) => (agent.call ? read(agent.call) : null);
const today = (read) => ({ agent }) => (agent.today ? read(agent.today) : null);
const perCall = (read) => today((figures) => (figures.handled ? read(figures) / figures.handled : null));
const instant = (iso) => (iso ? Date.parse(iso) : null);

/** A masked number without its long row of dots: "+•••••••4821" -> "••4821". */
export function shortPeer(peer) {
  return peer.replace(/^[+\d]*[•*]+/, "••");
}

function counted(id, width, read, show = number) {
  return { id, width, end: true, value: read, text: (item) => show(read(item)) };
}

function named(id, width, read) {
  return { id, width, value: (item, board) => read(item, board) || null, text: (item, board) => read(item, board) };
}

/** Time since something: sorts the longest first when it sorts down, and needs no clock for that. */
function running(id, width, since) {
  return {
    id,
    width,
    end: true,
    moves: true,
    value: (item, board) => {
      const at = instant(since(item, board));
      return at === null ? null : -at;
    },
    text: (item, board, local) => {
      const from = since(item, board);
      return from ? duration(board.clocks.since(item.agent.site, from, local)) : "";
    },
  };
}

export const COLUMNS = [
  { id: "state", width: 6.5, value: ({ agent }) => STATE_ORDER[agent.state] ?? 99, text: ({ agent }) => t(`state.${agent.state}`) },
  running("time", TIME.large, ({ agent }) => agent.since),
  named("name", 8.5, ({ agent }) => agent.name || agent.agent_id),
  named("team", 5.7, ({ agent }) => agent.team),
  named("queue", 6.6, ({ agent }, board) => (agent.call?.queue ? board.queueLabel(agent.site, agent.call.queue) : "")),
  { ...named("direction", 2.4, ofCall((call) => call.direction)), text: ({ agent }) => (agent.call ? directionText(agent.call) : "") },
  named("caller", 5.8, ({ agent }, board) => (agent.call ? shortPeer(board.agentName(agent.site, agent.call.peer)) : "")),
  running("call_time", TIME.plain, ({ agent }) => agent.call?.since),
  running("hold", TIME.marked, ({ agent }, board) => heldSince(agent, board)),
  {
    id: "now",
    width: 12,
    moves: true,
    value: (item, board) => (board.store.running.has(item.key) ? -instant(board.store.running.get(item.key).requested) : null),
    text: ({ agent }) => whyText(agent),
  },
  counted("handled", 4.3, today((figures) => figures.handled)),
  counted("aht", TIME.plain, perCall(({ talk_s: talk, hold_s: hold, wrap_s: wrap }) => talk + hold + wrap), duration),
  counted("talk", TIME.plain, perCall((figures) => figures.talk_s), duration),
  counted("occupancy", 5, today((figures) => figures.occupancy), percent),
  counted("missed", 4.5, today((figures) => figures.missed_in_row)),
  counted("transfers", 4.5, today((figures) => figures.transfers)),
  {
    id: "wrap_left",
    width: TIME.plain,
    end: true,
    moves: true,
    value: ({ agent }) => instant(agent.until),
    text: ({ agent }, board, local) => (agent.until ? duration(wrapLeft(agent, board.clocks, local)) : ""),
  },
  named("reason", 6.5, ({ agent }) => whyText(agent)),
  {
    ...running("seen", 5, ({ agent }) => agent.seen),
    text: ({ agent }, board, local) => age(board.ageOf(agent, local)),
  },
  named("tags", 8, ({ agent }) => agent.tags.join(", ")),
  named("site", 8, ({ agent }, board) => board.siteLabel(agent.site)),
  named("id", 5.5, ({ agent }) => agent.agent_id),
];

export const COLUMN = new Map(COLUMNS.map((column) => [column.id, column]));

/** What fits a laptop beside the rail. */
export const DEFAULT_COLUMNS = ["state", "time", "name", "team", "queue", "direction", "caller", "call_time", "hold", "now", "handled", "aht"];

export function directionText({ direction }) {
  return t(`direction.${["inbound", "outbound", "internal"].includes(direction) ? direction : "inbound"}`);
}

/** The columns that are named in `ids` and exist, each once; the default when none is. */
export function columnsOf(ids) {
  const known = [...new Set(ids)].filter((id) => COLUMN.has(id));
  return (known.length ? known : DEFAULT_COLUMNS).map((id) => COLUMN.get(id));
}

/**
 * `items` sorted by a column, what has no value last in either direction. Words are compared once per word and not once per
 * pair: a floor has few queues and teams and many agents.
 */
export function sortedBy(items, column, down, board) {
  const values = items.map((item) => column.value(item, board));
  const ranks = ranksOf(values);
  const sign = down ? -1 : 1;
  return items
    .map((item, at) => ({ item, rank: ranks ? (ranks.get(values[at]) ?? null) : values[at] }))
    .sort((a, b) => {
      if (a.rank === null || b.rank === null) return Number(a.rank === null) - Number(b.rank === null);
      return sign * (a.rank - b.rank);
    })
    .map(({ item }) => item);
}

function ranksOf(values) {
  if (!values.some((value) => typeof value === "string")) return null;
  const words = [...new Set(values)].filter((value) => value !== null).sort(collator.compare);
  return new Map(words.map((word, rank) => [word, rank]));
}

