// What the list of calls is narrowed by. The address holds it; these controls only write there.

import { fill, h, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { place } from "/static/shared/place.js";
import { collator } from "../agentlist.js";
import { NO_FILTER, SHOWS } from "./model.js";

const TYPING_MS = 200;
const TEAMS_MS = 3000;
const NAMES = ["show", "team", "of_queue", "q"];

/** The filter as the address says: {show, site, team, queue, q}. */
export function readFilter(site) {
  const show = SHOWS.includes(place.get("show")) ? place.get("show") : "all";
  return { ...NO_FILTER, show, site, team: place.get("team"), queue: place.get("of_queue"), q: place.get("q") };
}

export const isFiltered = () => NAMES.some((name) => place.get(name));

export const clearFilter = () => place.update(Object.fromEntries(NAMES.map((name) => [name, ""])));

export class Filters {
  constructor(board) {
    this.board = board;
    this.shows = SHOWS.map((show) => h("button", { type: "button", data: { show }, on: { click: () => place.set("show", show === "all" ? "" : show) } }, h("span"), h("span", { class: "show-count num" })));
    this.show = h("div", { class: "segments", role: "group" }, this.shows);
    this.search = h("input", { class: "input listen-search", type: "search" });
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => place.set("q", this.search.value.trim(), { replace: true }), TYPING_MS);
    });
    this.team = this.#select("team");
    this.queue = this.#select("of_queue");
    this.clear = h("button", { class: "button quiet", type: "button", on: { click: clearFilter } });
    this.node = h("div", { class: "listen-filters", role: "search" }, this.show, this.team, this.queue);
  }

  #select(name) {
    const select = h("select", { class: "select" });
    select.addEventListener("change", () => place.set(name, select.value));
    return select;
  }

  /** `counts`: {show: number of calls}. */
  update(counts) {
    const { board } = this;
    const site = board.site();
    const filter = readFilter(site);
    setAttr(this.node, "aria-label", t("listen.filters"));
    setAttr(this.show, "aria-label", t("listen.show"));
    for (const button of this.shows) {
      const { show } = button.dataset;
      setText(button.firstChild, t(`listen.show.${show}`));
      setText(button.lastChild, counts[show] ?? 0);
      setAttr(button, "aria-pressed", String(filter.show === show));
      setAttr(button, "title", t(`listen.show.${show}.hint`));
    }
    if (document.activeElement !== this.search) this.search.value = filter.q;
    setAttr(this.search, "placeholder", t("listen.search"));
    setAttr(this.search, "aria-label", t("listen.search"));
    this.#options(this.team, "team", filter.team, this.#teams(site));
    this.#options(this.queue, "queue", filter.queue, this.#queues(site));
    setText(this.clear, t("listen.clear"));
    setHidden(this.clear, !isFiltered());
  }

  /** Looked up now and then: a floor may have ten thousand agents, and its teams stay. */
  #teams(site) {
    const now = performance.now();
    const { teams } = this;
    if (teams?.site === site && teams.language === document.documentElement.lang && now - teams.at < TEAMS_MS) return teams.found;
    const found = this.#lookUpTeams(site);
    this.teams = { site, at: now, language: document.documentElement.lang, found };
    return found;
  }

  #lookUpTeams(site) {
    const found = new Map();
    for (const { site: where, team } of this.board.store.agents.values()) {
      if (team && (!site || where === site)) found.set(`${where}/${team}`, this.#named(where, team));
    }
    return [...found].sort((a, b) => collator.compare(a[1], b[1]));
  }

  #queues(site) {
    const queues = [...this.board.store.queues.values()].filter((queue) => !site || queue.site === site);
    return queues.map(({ site: where, queue, label }) => [`${where}/${queue}`, this.#named(where, label || queue)]);
  }

  #named(site, name) {
    return this.board.saysSite(site) ? `${this.board.siteLabel(site)} · ${name}` : name;
  }

  #options(select, name, value, options) {
    const known = options.some(([code]) => code === value);
    const all = [["", t(`listen.${name}.any`)], ...options, ...(value && !known ? [[value, value.slice(value.indexOf("/") + 1)]] : [])];
    const text = JSON.stringify(all);
    if (select.offered !== text) fill(select, all.map(([code, label]) => h("option", { value: code }, label)));
    select.offered = text;
    if (select.value !== value) select.value = value;
    setAttr(select, "aria-label", t(`listen.${name}`));
    select.dataset.chosen = value ? "yes" : "no";
  }
}
