// An agent's day as a partition: every second since counting began is in one state, and the states add up to the clock.

import { h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, duration, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { STATES } from "../agentlist.js";

const NOT_AT_WORK = new Set(["offline", "unknown"]);
const CLOSE_S = 2; // of ours: the feed and the site's clock come by different messages

const formats = new Map();

/** The last midnight of `zone` before `now` (milliseconds), however long the day is. */
export function midnight(now, zone) {
  const since = (at) => {
    const [hours, minutes, seconds] = plainClock(at, zone).split(":").map(Number);
    return (hours * 3600 + minutes * 60 + seconds) * 1000;
  };
  const guess = now - since(now) - (now % 1000);
  const off = since(guess); // not 0 when the clocks were changed in between
  return off > 12 * 3_600_000 ? guess + (24 * 3_600_000 - off) : guess - off;
}

/** hh:mm:ss in `zone`, whatever the reader's language. */
function plainClock(at, zone) {
  if (!formats.has(zone)) {
    const options = { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    formats.set(zone, new Intl.DateTimeFormat("en-GB", options));
  }
  return formats.get(zone).format(at);
}

/**
 * {since, clock_s, parts: [{state, seconds}], missing_s}: the finished stretches and the running one. What they leave of the
 * clock, if anything, is `missing_s` and in the part `unknown`: it has not been told. Null before the site's time is known.
 */
export function partition(agent, now, zone, speed) {
  if (Number.isNaN(now)) return null;
  const { today } = agent;
  const began = new Date(agent.since).getTime();
  const since = today ? new Date(today.since).getTime() : Math.max(began, midnight(now, zone));
  const seconds = new Map(Object.entries(today?.state_s ?? {}));
  const finished = [...seconds.values()].reduce((sum, one) => sum + one, 0);
  const total = Math.max(0, (now - since) / 1000);
  const left = Math.max(0, total - finished);
  const running = Math.max(0, (now - Math.max(began, since)) / 1000);
  const explained = agent.flapping_since || Math.abs(left - running) <= CLOSE_S * Math.max(1, speed);
  const own = explained ? left : Math.min(left, running);
  const missing = left - own;
  add(seconds, agent.state, own);
  if (missing) add(seconds, "unknown", missing);
  const parts = STATES.filter((state) => (seconds.get(state) ?? 0) > 0).map((state) => ({ state, seconds: seconds.get(state) }));
  return { since, clock_s: Math.max(total, finished), parts, missing_s: missing };
}

function add(map, key, value) {
  map.set(key, (map.get(key) ?? 0) + value);
}

export class PartitionPart {
  constructor(board) {
    this.board = board;
    this.bar = h("div", { class: "partition-bar", role: "img" });
    this.note = h("p", { class: "drawer-note" });
    this.rows = h("tbody");
    this.sum = h("tr", {}, h("th", { scope: "row" }), [1, 2, 3].map(() => h("td", { class: "num" })));
    const heads = [t("drawer.state"), t("drawer.time"), t("drawer.share"), t("drawer.share.at_work")];
    this.table = h(
      "table",
      { class: "drawer-table partition-table" },
      h("caption", { class: "visually-hidden", text: t("drawer.partition") }),
      h("thead", {}, h("tr", {}, heads.map((name, n) => h("th", { scope: "col", class: n ? "num" : "", text: name })))),
      this.rows,
      h("tfoot", {}, this.sum),
    );
    this.nodes = [this.bar, this.table, this.note];
  }

  draw(agent, local) {
    const { board } = this;
    const zone = board.zone(agent.site);
    const speed = board.store.sites.get(agent.site)?.speed ?? 1;
    const found = partition(agent, board.clocks.now(agent.site, local), zone, speed);
    for (const node of [this.bar, this.table]) setHidden(node, !found);
    if (!found) {
      setText(this.note, t("drawer.partition.none"));
      return;
    }
    this.#drawBar(found);
    this.#drawTable(found);
    const since = t("drawer.partition.since", { time: clock(found.since, zone), clock: duration(found.clock_s) });
    setText(this.note, found.missing_s ? `${since} ${t("drawer.partition.missing", { time: duration(found.missing_s) })}` : since);
  }

  #drawBar({ parts, clock_s: total }) {
    const create = ({ state }) => h("span", { class: "partition-piece", data: { state } }, icon(state));
    keyed(this.bar, parts, ({ state }) => state, create, (node, { state, seconds }) => {
      const share = total ? seconds / total : 0;
      const grow = share.toFixed(4);
      if (node.style.flexGrow !== grow) node.style.flexGrow = grow;
      setData(node, "narrow", share < 0.05 ? "yes" : "");
      setAttr(node, "title", `${t(`state.${state}`)}: ${duration(seconds)} · ${percent(share)}`);
    });
    setAttr(this.bar, "aria-label", parts.map(({ state, seconds }) => `${t(`state.${state}`)} ${percent(seconds / total)}`).join(", "));
  }

  #drawTable({ parts, clock_s: total }) {
    const atWork = parts.filter(({ state }) => !NOT_AT_WORK.has(state)).reduce((sum, { seconds }) => sum + seconds, 0);
    const create = ({ state }) => {
      const name = h("span", { class: "drawer-mark", data: { state } }, icon(state), t(`state.${state}`));
      return h("tr", {}, h("th", { scope: "row" }, name), [1, 2, 3].map(() => h("td", { class: "num" })));
    };
    keyed(this.rows, parts, ({ state }) => state, create, (node, { state, seconds }) => {
      const cells = [duration(seconds), share(seconds, total), NOT_AT_WORK.has(state) ? "" : share(seconds, atWork)];
      cells.forEach((text, n) => setText(node.children[n + 1], text));
    });
    [t("drawer.sum"), duration(total), share(total, total), share(atWork, atWork)].forEach((text, n) => setText(this.sum.children[n], text));
  }
}

/** With one decimal, so that small shares are not all 0% and the column adds up. */
function share(part, whole) {
  return whole > 0 ? `${((part / whole) * 100).toFixed(1)}%` : percent(null);
}
