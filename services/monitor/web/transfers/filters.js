// What the list is narrowed by. The address holds it; these controls only write there.

import { fill, h, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { place } from "/static/shared/place.js";
import { OUTCOMES } from "./model.js";
import { clearFilter, isFiltered, readFilter, readSort, SORTS } from "./query.js";

const TYPING_MS = 250;
const OFFERED = 200; // agents in the list of suggestions

export class Filters {
  constructor(root, board) {
    Object.assign(this, { board });
    this.selects = {};
    for (const name of ["queue", "slow", "outcome", "case"]) this.selects[name] = this.#select(name);
    this.agents = h("datalist", { id: "desk-agents" });
    this.agent = h("input", { class: "input filter-agent", list: "desk-agents" });
    this.agent.addEventListener("change", () => place.set("agent", this.#agentId(this.agent.value)));
    this.agent.addEventListener("focus", () => this.#offerAgents());
    this.today = h("button", { class: "button", type: "button" });
    this.today.addEventListener("click", () => place.set("day", place.get("day") === "today" ? "" : "today"));
    this.day = h("input", { class: "input filter-day", type: "date" });
    this.day.addEventListener("change", () => place.set("day", this.day.value));
    this.search = h("input", { class: "input filter-search", type: "search" });
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => place.set("q", this.search.value.trim(), { replace: true }), TYPING_MS);
    });
    this.sorts = SORTS.map((sort) => h("button", { type: "button", data: { sort }, on: { click: () => place.set("sort", sort === "worst" ? "" : sort) } }));
    this.sort = h("div", { class: "segments", role: "group" }, this.sorts);
    this.clear = h("button", { class: "button quiet", type: "button", on: { click: clearFilter } });
    const { queue, slow, outcome, case: found } = this.selects;
    fill(root, this.search, this.agent, this.agents, queue, slow, outcome, found, this.today, this.day, this.clear, this.sort);
  }

  #select(name) {
    const select = h("select", { class: `select filter-${name}` });
    select.addEventListener("change", () => place.set(name, select.value));
    return select;
  }

  #agentId(text) {
    const wanted = text.trim();
    for (const agent of this.board.store.agents.values()) if (wanted && (agent.name === wanted || agent.agent_id === wanted)) return agent.agent_id;
    return wanted;
  }

  #offerAgents() {
    const agents = [...this.board.store.agents.values()].slice(0, OFFERED);
    fill(this.agents, agents.map((agent) => h("option", { value: agent.name || agent.agent_id })));
  }

  update() {
    const { board } = this;
    const filter = readFilter(board.site());
    const queues = [...board.store.queues.values()].filter(({ site }) => !filter.site || site === filter.site);
    const queueNames = new Map(queues.map((queue) => [queue.queue, queue.label || queue.queue]));
    if (filter.queue && !queueNames.has(filter.queue)) queueNames.set(filter.queue, filter.queue);
    this.#options("queue", filter.queue, [...queueNames]);
    this.#options("slow", filter.slow, ["yes", "cannot_tell", "no"].map((value) => [value, t(`desk.filter.slow.${value}`)]));
    this.#options("outcome", filter.outcome, OUTCOMES.map((value) => [value, t(`transfers.${value}`)]));
    this.#options("case", filter.case, ["none", "open", "closed"].map((value) => [value, t(`desk.filter.case.${value}`)]));
    const known = [...board.store.agents.values()].find((agent) => agent.agent_id === filter.agent);
    if (document.activeElement !== this.agent) this.agent.value = known?.name || filter.agent;
    if (document.activeElement !== this.search) this.search.value = filter.q;
    if (document.activeElement !== this.day) this.day.value = filter.day === "today" ? "" : filter.day;
    setAttr(this.agent, "placeholder", t("desk.filter.agent.any"));
    setAttr(this.agent, "aria-label", t("desk.filter.agent"));
    setAttr(this.search, "placeholder", t("desk.filter.search"));
    setAttr(this.search, "aria-label", t("desk.filter.search"));
    setAttr(this.day, "aria-label", t("desk.filter.day"));
    setText(this.today, t("desk.filter.today"));
    setAttr(this.today, "aria-pressed", String(filter.day === "today"));
    setText(this.clear, t("desk.clear"));
    setHidden(this.clear, !isFiltered(filter));
    setAttr(this.sort, "aria-label", t("desk.sort"));
    for (const button of this.sorts) {
      setText(button, t(`desk.sort.${button.dataset.sort}`));
      setAttr(button, "aria-pressed", String(button.dataset.sort === readSort()));
    }
  }

  #options(name, value, options) {
    const select = this.selects[name];
    const all = [["", t(`desk.filter.${name}.any`)], ...options];
    const text = JSON.stringify(all);
    if (select.offered !== text) fill(select, all.map(([code, label]) => h("option", { value: code }, label)));
    select.offered = text;
    if (select.value !== value) select.value = value;
    setAttr(select, "aria-label", t(`desk.filter.${name}`, { limit: "7 s" }));
    select.dataset.chosen = value ? "yes" : "no";
  }
}
