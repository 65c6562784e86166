// An agent's calls and transfers of today, from the monitor's records.

import { h, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, clock, duration, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { may, me } from "/static/shared/me.js";
import { Fetched } from "./fetched.js";
import { Table, apart, isRewind, section, shortNumber } from "./parts.js";
import { midnight } from "./partition.js";
import { kindText, phaseText, routeText } from "../transferwords.js";

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
    this.#begin({
      path,
      query,
      everyMs: EVERY_MS,
      onData: (answer) => this.#take(answer, ""),
      onFailure: (words) => this.#take(this.answer, words),
    });
  }

  /** Ask, unless it is known that they may not see it. */
  async #begin(asked) {
    const known = await me().catch(() => null);
    if (this.ended) return;
    if (known && !may("history.read")) this.#take(null, t("drawer.list.not_yours"));
    else this.fetched = new Fetched(asked);
  }

  #take(answer, failure) {
    Object.assign(this, { answer, failure });
    this.#show();
  }

  /** What changes how the list is said: names and time zones that have come, a past moment that is shown. */
  #around() {
    const { board, site } = this;
    return `${board.store.loaded}|${isRewind(board)}|${board.zone(site)}|${Number.isNaN(board.clocks.now(site))}`;
  }

  draw() {
    if (this.#around() !== this.around) this.#show();
  }

  #show() {
    this.around = this.#around();
    if (isRewind(this.board)) this.#say(t("drawer.list.rewind"), true);
    else if (!this.answer && !this.failure) this.#say(t("drawer.loading"), true);
    else this.#list();
  }

  #list() {
    const rows = this.answer ? this.rows(this.answer, this.#midnight()) : [];
    this.table.draw(rows);
    const words = this.failure || (rows.length ? "" : this.nothing);
    this.#say(rows.length >= SHOWN && !words ? t("drawer.list.newest", { n: SHOWN }) : words, rows.length === 0);
  }

  /** When the site's day began; while its time is not known, everything that was kept is shown. */
  #midnight() {
    const now = this.board.clocks.now(this.site);
    return Number.isNaN(now) ? 0 : midnight(now, this.board.zone(this.site));
  }

  #say(words, instead) {
    setText(this.note, words);
    setHidden(this.note, !words);
    setHidden(this.table.node, instead);
  }

  askSoon() {
    this.fetched?.askSoon();
  }

  end() {
    this.ended = true;
    this.fetched?.end();
  }
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
      { name: t("drawer.call.what"), grows: true },
      { name: t("drawer.waited"), num: true },
      { name: t("state.talk"), num: true },
      { name: t("state.hold"), num: true },
      { name: t("drawer.outcome") },
    ],
    rows: ({ calls }, from) => calls.filter((call) => Date.parse(call.started_at) >= from).map((call) => callRow(call, board, site)),
  });
}

function callRow(call, board, site) {
  const direction = ["inbound", "outbound", "internal"].includes(call.direction) ? call.direction : "";
  const queue = call.queue && board.queueLabel(site, call.queue);
  const what = queue || (direction ? t(`direction.${direction}`) : NO_DATA);
  return {
    key: `${call.call_id} ${call.started_at}`,
    cells: [
      clock(call.started_at, board.zone(site)),
      { shape: direction, text: what, note: shortNumber(call.from_number) || NO_DATA },
      duration(call.waited_s),
      duration(call.talk_s),
      duration(call.hold_s),
      t(`drawer.outcome.${call.outcome}`),
    ],
  };
}

export function transfersToday(board, key) {
  const { site, id } = apart(key);
  return new DayList(board, site, {
    title: t("drawer.transfers"),
    nothing: t("drawer.transfers.none"),
    path: "/api/v1/transfers",
    query: { site, agent: id, sort: "newest", limit: SHOWN },
    columns: [
      { name: t("drawer.began") },
      { name: t("drawer.route") },
      { name: t("drawer.leg.gap"), num: true },
      { name: t("drawer.leg.total"), num: true },
      { name: t("drawer.outcome") },
    ],
    rows: ({ transfers }, from) => transfers.filter((one) => Date.parse(one.requested) >= from).map((one) => transferRow(one, board)),
  });
}

function transferRow(transfer, board) {
  const slow = transfer.slow === "yes";
  const total = seconds(transfer.total_s);
  return {
    key: transfer.transfer_id,
    tone: slow ? "critical" : "",
    cells: [
      clock(transfer.requested, board.zone(transfer.site)),
      routeText(transfer, board),
      seconds(transfer.customer_gap_s),
      slow ? { shape: "critical", text: total, tone: "critical" } : total,
      `${kindText(transfer, board)} · ${phaseText(transfer)}`,
    ],
  };
}
