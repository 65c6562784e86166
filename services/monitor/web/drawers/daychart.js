// A queue's day: the chart, what it says where the pointer is, and the same figures as a table.

import { h, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, clockMinutes, dayShort, duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { IntervalChart } from "./chart.js";
import { Fetched } from "./fetched.js";
import { levelOfStretch, slotsOf } from "./intervals.js";
import { Table, apart, isRewind, section } from "./parts.js";

const EVERY_MS = 60_000;

export class DayChart {
  /** `onDay(day)` after each answer. */
  constructor(board, key, onDay) {
    const { site, id } = apart(key);
    Object.assign(this, { board, onDay, day: null });
    this.note = h("p", { class: "drawer-note", role: "status", text: t("drawer.loading") });
    this.chart = new IntervalChart({ onPoint: (slot) => this.#read(slot) });
    this.readout = h("p", { class: "chart-readout", "aria-hidden": "true" });
    this.legend = legend();
    this.table = null;
    this.slot = h("details", { class: "chart-table" }, h("summary", { text: t("drawer.chart.table") }));
    this.figure = h("figure", { class: "chart", hidden: true }, this.legend, this.chart.node, this.readout, this.slot);
    this.node = section(t("drawer.day"), [this.note, this.figure]);
    this.fetched = new Fetched({
      path: `/api/v1/queues/${encodeURIComponent(site)}/${encodeURIComponent(id)}/intervals`,
      everyMs: EVERY_MS,
      onData: (day) => this.#take(day),
      onFailure: (words) => this.#say(words, !this.day),
    });
  }

  #say(words, instead) {
    setText(this.note, words);
    setHidden(this.note, !words);
    setHidden(this.figure, instead);
  }

  #take(day) {
    this.day = day;
    const { formula } = day.service_level;
    const found = slotsOf(day);
    this.chart.draw(found, day.service_level, day.time_zone);
    if (this.table === null) {
      this.table = new Table(t("drawer.chart.caption", { formula }), columns(formula));
      this.slot.append(this.table.node, h("p", { class: "drawer-note", text: t("drawer.chart.counts") }));
    }
    const rows = found.slots.map((slot) => row(slot, formula, day.time_zone)).reverse();
    this.table.draw([...rows, totalRow(day, formula)]);
    this.#say("", false);
    this.#read(null);
    this.onDay(day);
  }

  /** A past moment has no intervals of its own here: those of now would be a lie. */
  draw() {
    const past = isRewind(this.board);
    if (past) this.#say(t("drawer.list.rewind"), true);
    else if (this.past && this.day) this.#take(this.day);
    this.past = past;
  }

  #read(slot) {
    const { day } = this;
    if (!day) return;
    const zone = day.time_zone;
    if (slot === null) {
      const since = clockMinutes(day.total.counted_from, zone);
      setText(this.readout, t("drawer.chart.since", { day: dayShort(`${day.day}T12:00:00Z`, "UTC"), time: since, zone }));
      return;
    }
    const times = { from: clockMinutes(slot.from, zone), to: clockMinutes(slot.to, zone) };
    if (!slot.figures) {
      setText(this.readout, t("drawer.chart.gap", times));
      return;
    }
    const { offered, answered, abandoned } = slot.figures;
    const { formula } = day.service_level;
    const level = percent(levelOfStretch(slot.figures, formula));
    setText(this.readout, t("drawer.chart.slot", { ...times, offered, answered, abandoned, formula, level }));
  }

  end() {
    this.fetched.end();
  }
}

function legend() {
  const entry = (name) => h("span", {}, h("span", { class: `chart-swatch chart-swatch-${name}` }), t(`drawer.chart.${name}`));
  return h("p", { class: "chart-legend", "aria-hidden": "true" }, ["offered", "answered", "abandoned", "level", "below"].map(entry));
}

function columns(formula) {
  const names = [t("queue.offered"), t("queue.answered"), t("queue.abandoned"), t("drawer.other"), formula, t("queue.asa"), t("drawer.longest"), t("queue.aht"), t("drawer.occupancy")];
  return [{ name: t("drawer.interval") }, ...names.map((name) => ({ name, num: true }))];
}

function cells(figures, formula) {
  return [
    number(figures.offered),
    number(figures.answered),
    number(figures.abandoned),
    number(figures.other_ended),
    percent(levelOfStretch(figures, formula)),
    duration(figures.asa_s),
    duration(figures.longest_waited_s),
    duration(figures.aht_s),
    percent(figures.occupancy),
  ];
}

function row({ from, to, figures, running }, formula, zone) {
  const times = `${clockMinutes(from, zone)}–${clockMinutes(to, zone)}`;
  const began = figures && Date.parse(figures.counted_from) > from ? t("queue.since", { time: clockMinutes(figures.counted_from, zone) }) : "";
  const name = [times, running && t("drawer.interval.running"), began].filter(Boolean).join(" · ");
  const none = Array.from({ length: 9 }, () => NO_DATA);
  return { key: String(from), cells: [name, ...(figures ? cells(figures, formula) : none)] };
}

function totalRow(day, formula) {
  return { key: "total", tone: "total", cells: [t("drawer.day.total"), ...cells(day.total, formula)] };
}
