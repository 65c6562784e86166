// An agent's calls and transfers of today, from the monitor's records.

import { h, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, clock, duration, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { Fetched } from "./fetched.js";
import { Table, apart, isRewind, section } from "./parts.js";
import { midnight } from "./partition.js";
import { kindOf, routeOf } from "./transferlegs.js";

const EVERY_MS = 30_000;
const SHOWN = 100;

/** A list from the server under its heading. `rows(answer)` makes rows of what came. */
class DayList {
  constructor(board, site, { title, nothing, columns, path, query, rows }) {
    Object.assign(this, { board, site, rows, answer: null, nothing });
    this.note = h("p", { class: "drawer-note", role: "status", text: t("drawer.loading") });
    this.table = new Table(title, columns);
    this.node = section(title, [this.note, this.table.node]);
    this.table.node.hidden = true;
    this.fetched = new Fetched({
      path,
      query,
      everyMs: EVERY_MS,
      onData: (answer) => this.#take(answer, ""),
      onFailure: (words) => this.#take(this.answer, words),
    });
  }

  #take(answer, failure) {
    Object.assign(this, { answer, failure });
    this.draw();
  }

  draw() {
    const past = isRewind(this.board);
    if (past) this.#say(t("drawer.list.rewind"), true);
    if (past || (!this.answer && !this.failure)) return;
    const rows = this.answer ? this.rows(this.answer) : [];
    this.table.draw(rows);
    const words = this.failure || (rows.length ? "" : this.nothing);
    this.#say(rows.length >= SHOWN && !words ? t("drawer.list.newest", { n: SHOWN }) : words, rows.length === 0);
  }

  #say(words, instead) {
    setText(this.note, words);
    setHidden(this.note, !words);
    setHidden(this.table.node, instead);
  }

  askSoon() {
    this.fetched.askSoon();
  }

  end() {
    this.fetched.end();
  }
}

/** When the site's day began, as far as the page knows; the beginning of time otherwise. */
function today(board, site) {
  const now = board.clocks.now(site);
  return Number.isNaN(now) ? 0 : midnight(now, board.zone(site));
}

export function callsToday(board, key) {
  const { site, id } = apart(key);
  return new DayList(board, site, {
    title: t("drawer.calls"),
    nothing: t("drawer.calls.none"),
    path: `/api/v1/agents/${encodeURIComponent(site)}/${encodeURIComponent(id)}/calls`,
    query: { limit: SHOWN },
    columns: [
      { name: t("drawer.began") },
      { name: t("drawer.call.what") },
      { name: t("drawer.number") },
      { name: t("drawer.waited"), num: true },
      { name: t("state.talk"), num: true },
      { name: t("state.hold"), num: true },
      { name: t("drawer.outcome") },
    ],
    rows: ({ calls }) => calls.filter((call) => new Date(call.started_at) >= today(board, site)).map((call) => callRow(call, board, site)),
  });
}

function callRow(call, board, site) {
  const direction = ["inbound", "outbound", "internal"].includes(call.direction) ? call.direction : "";
  const queue = call.queue && board.queueLabel(site, call.queue);
  return {
    key: `${call.call_id} ${call.started_at}`,
    cells: [
      clock(call.started_at, board.zone(site)),
      direction ? { shape: direction, text: queue || t(`direction.${direction}`) } : queue || NO_DATA,
      call.from_number || NO_DATA,
      duration(call.waited_s),
      duration(call.talk_s),
      duration(call.hold_s),
      t(`drawer.outcome.${call.outcome}`),
    ],
  };
}

export function transfersToday(board, key) {
  const { site, id } = apart(key);
  const from = today(board, site);
  return new DayList(board, site, {
    title: t("drawer.transfers"),
    nothing: t("drawer.transfers.none"),
    path: "/api/v1/transfers",
    query: { site, agent: id, sort: "newest", limit: SHOWN, from: from ? new Date(from).toISOString() : null },
    columns: [
      { name: t("drawer.began") },
      { name: t("drawer.route") },
      { name: t("drawer.kind") },
      { name: t("drawer.leg.gap"), num: true },
      { name: t("drawer.leg.total"), num: true },
      { name: t("drawer.outcome") },
    ],
    rows: ({ transfers }) => transfers.map((transfer) => transferRow({ site, ...transfer }, board)),
  });
}

function transferRow(transfer, board) {
  const slow = transfer.slow === "yes";
  const total = seconds(transfer.total_s);
  return {
    key: transfer.transfer_id,
    tone: slow ? "critical" : "",
    cells: [
      clock(transfer.requested ?? transfer.requested_at, board.zone(transfer.site)),
      routeOf(transfer, board),
      kindOf(transfer),
      seconds(transfer.customer_gap_s),
      slow ? { shape: "critical", text: total, tone: "critical" } : total,
      t(`transfers.${transfer.outcome}`),
    ],
  };
}
