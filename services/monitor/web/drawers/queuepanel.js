// Everything of one queue.

import { fill, h, setData, setHidden } from "/static/shared/dom.js";
import { clockMinutes, duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { carriedText } from "../floor/counting.js";
import { levelOf, thresholds } from "../thresholds.js";
import { DayChart } from "./daychart.js";
import { Formulas } from "./formulas.js";
import { Facts, FlagList, Notice, Tiles, apart, section, staleness } from "./parts.js";
import { Staff, Waiting, waitingIn } from "./people.js";

export class QueuePanel {
  constructor(root, board, key) {
    Object.assign(this, { root, board, key, queue: null });
    Object.assign(this, apart(key));
    this.notice = new Notice();
    this.now = new Tiles();
    this.flags = new FlagList(board);
    this.waiting = new Waiting(board);
    this.staff = new Staff(board, key);
    this.recent = new Tiles();
    this.figures = new Tiles();
    this.formulas = new Formulas();
    this.known = new Facts();
    this.chart = new DayChart(board, key, () => this.draw(performance.now()));
    this.parts = h(
      "div",
      { class: "drawer-parts" },
      h("div", { class: "drawer-hero" }, this.now.node),
      this.flags.node,
      section(t("drawer.waiting"), this.waiting.nodes),
    );
    this.rest = h(
      "div",
      { class: "drawer-parts" },
      section(t("drawer.staff"), this.staff.nodes),
      section(t("drawer.recent"), this.recent.node),
      section(t("drawer.figures.day"), this.figures.node),
      section(t("drawer.formulas"), this.formulas.node),
      section(t("drawer.provenance"), this.known.node),
    );
    fill(root, this.notice.node, this.parts, this.chart.node, this.rest);
  }

  title() {
    return this.queue?.label || this.id;
  }

  draw(local) {
    const { board, key } = this;
    const queue = board.store.queues.get(key);
    const gone = board.store.loaded && !queue && !board.isComing(this.site);
    this.queue = queue ?? this.queue;
    const late = staleness(board, this.site);
    this.notice.draw(gone ? t("drawer.queue.gone", { id: this.id }) : late);
    setHidden(this.parts, !this.queue);
    setHidden(this.rest, !this.queue);
    setData(this.root, "stale", gone || late ? "yes" : "");
    this.chart.draw();
    if (!queue) return;
    this.now.draw(this.#now(queue, local));
    this.flags.draw([...board.store.flags.values()].filter((flag) => board.queueOfFlag(flag) === key), local);
    this.waiting.draw(queue, local);
    this.staff.draw(queue, local);
    this.recent.draw(recentOf(queue));
    this.figures.draw(figuresOf(queue, board));
    this.formulas.draw(queue);
    this.known.draw(this.#known(queue));
  }

  #now(queue, local) {
    const { board, site } = this;
    const never = board.hasNeverReported(site);
    const limits = thresholds.of(queue);
    const first = waitingIn(board, site, queue.queue)[0]?.queued_since ?? queue.longest_since;
    const longest = queue.waiting ? board.clocks.since(site, first, local) : null;
    const { service_level: level } = queue;
    return [
      { name: t("queue.waiting"), value: number(never ? null : queue.waiting), tone: levelOf(queue.waiting, limits.waiting) },
      { name: t("queue.longest"), value: duration(longest), tone: levelOf(longest, limits.longest_wait_s) },
      {
        name: `${level.formula} ${Math.round(level.target * 100)}/${number(level.within_s)}`,
        value: percent(level.value),
        note: t("drawer.target", { target: percent(level.target) }),
        tone: levelOf(level.value, limits.service_level),
      },
      { name: t("state.ready"), value: number(never ? null : (queue.agents.ready ?? 0)) },
    ];
  }

  #known(queue) {
    const { board, site } = this;
    const kind = board.isStale(site) ? "stale" : queue.provenance;
    const zone = board.zone(site);
    return [
      [t("drawer.known"), `${t(`legend.${kind}`)}: ${t(`provenance.${kind}`)}`],
      [t("drawer.counted"), queue.since ? t("queue.since", { time: clockMinutes(queue.since, zone) }) : t("queue.no_count")],
      [t("drawer.site"), board.siteLabel(site)],
      [t("drawer.queue.id"), queue.queue],
    ];
  }

  destroy() {
    this.chart.end();
  }
}

/** The last 15 minutes. */
function recentOf({ recent, service_level: level }) {
  return [
    { name: t("queue.offered"), value: number(recent?.offered) },
    { name: t("queue.answered"), value: number(recent?.answered) },
    { name: t("queue.abandoned"), value: number(recent?.abandoned) },
    { name: level.formula, value: percent(recent?.service_level) },
    { name: t("queue.asa"), value: duration(recent?.asa_s) },
    { name: t("drawer.occupancy"), value: percent(recent?.occupancy) },
  ];
}

function figuresOf(queue, board) {
  const counted = queue.since !== null; // before counting began there is no figure, not a zero
  const count = (value) => number(counted ? value : null);
  const parts = { talk: duration(queue.talk_s), hold: duration(queue.hold_s), wrap: duration(queue.wrap_s) };
  return [
    { name: t("queue.offered"), value: count(queue.offered), note: carriedText(queue, board) },
    { name: t("queue.answered"), value: count(queue.answered) },
    { name: t("queue.abandoned"), value: count(queue.abandoned), note: t("drawer.short", { n: count(queue.short_abandoned), s: number(queue.service_level.short_abandon_s) }) },
    { name: t("drawer.other"), value: count(queue.other_ended), note: t("drawer.other.note") },
    { name: t("queue.asa"), value: duration(queue.asa_s) },
    { name: t("drawer.longest"), value: duration(queue.longest_waited_s), note: t("drawer.longest.note") },
    { name: t("queue.aht"), value: duration(queue.aht_s), note: queue.aht_s === null ? "" : t("drawer.aht.parts", parts) },
    { name: t("drawer.handled"), value: count(queue.handled) },
    { name: t("drawer.occupancy"), value: percent(queue.occupancy) },
    { name: t("drawer.abandonment"), value: percent(queue.abandonment_rate) },
    { name: t("drawer.transfer_rate"), value: percent(queue.transfer_rate) },
  ];
}
