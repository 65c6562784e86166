// Who waits in a queue since when, and who is logged on to it in which state.

import { h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, duration, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { STATES } from "../agentlist.js";
import { levelOf, thresholds } from "../thresholds.js";

const SHOWN = 60; // of each list; a queue of a thousand is for the board

/** The calls that wait in a queue, longest first. */
export function waitingIn(board, site, queue) {
  return [...board.store.calls.values()]
    .filter((call) => call.site === site && call.queue === queue && call.queued_since)
    .sort((a, b) => (a.queued_since < b.queued_since ? -1 : 1));
}

function rest(board) {
  return { board, list: h("ul", { class: "people" }), note: h("p", { class: "drawer-note" }) };
}

export class Waiting {
  constructor(board) {
    Object.assign(this, rest(board));
    this.nodes = [this.list, this.note];
  }

  draw(queue, local) {
    const { board } = this;
    const calls = waitingIn(board, queue.site, queue.queue);
    const { longest_wait_s: limits } = thresholds.of(queue);
    const create = () => h("li", { class: "person" }, icon("inbound"), h("span", { class: "mono truncate" }), h("span", { class: "drawer-mark" }, icon("warning"), h("span")), h("strong", { class: "num" }));
    keyed(this.list, calls.slice(0, SHOWN), ({ call_id: id }) => id, create, (node, call) => {
      const waited = board.clocks.since(call.site, call.queued_since, local);
      const level = levelOf(waited, limits);
      const [, number_, mark, time] = node.children;
      setData(node, "tone", level);
      setText(number_, call.from_number || NO_DATA);
      setText(time, duration(waited));
      setHidden(mark, !level);
      setData(mark, "tone", level);
      setIcon(mark.firstChild, level || "warning");
      setText(mark.lastChild, t("drawer.over", { time: duration(level === "critical" ? limits.crit : limits.warn) }));
    });
    const more = Math.max(queue.waiting, calls.length) - Math.min(calls.length, SHOWN);
    const words = calls.length ? "" : t("drawer.waiting.none");
    setText(this.note, more > 0 ? t("drawer.waiting.more", { n: more }) : words);
    setHidden(this.note, !this.note.textContent);
    setHidden(this.list, calls.length === 0);
  }
}

export class Staff {
  constructor(board, key) {
    Object.assign(this, rest(board), { key });
    this.chips = h("p", { class: "people-chips" });
    this.all = h("button", { class: "button", type: "button", text: t("drawer.staff.filter"), on: { click: () => board.filterQueue(key) } });
    this.nodes = [this.chips, this.list, this.note, this.all];
  }

  draw(queue, local) {
    const { board } = this;
    const members = [...board.store.agents.values()].filter((agent) => agent.site === queue.site && agent.queues.includes(queue.queue));
    const there = members.filter(({ state }) => state !== "offline");
    const rank = new Map(STATES.map((state, n) => [state, n]));
    there.sort((a, b) => rank.get(a.state) - rank.get(b.state) || (a.since < b.since ? -1 : 1));
    this.#drawChips(queue);
    const create = ({ site, agent_id: id }) =>
      h("li", { class: "person" }, icon("unknown"), h("button", { class: "drawer-link truncate", type: "button", on: { click: () => board.openAgent(`${site}/${id}`) } }), h("span", { class: "person-state" }), h("strong", { class: "num" }));
    keyed(this.list, there.slice(0, SHOWN), ({ agent_id: id }) => id, create, (node, agent) => {
      const [shape, name, state, time] = node.children;
      const lasted = board.clocks.since(agent.site, agent.since, local);
      setData(node, "state", agent.state);
      setData(time, "tone", levelOf(lasted, thresholds.agent(agent.state)));
      setIcon(shape, agent.state);
      setText(name, agent.name || agent.agent_id);
      setText(state, t(`state.${agent.state}`));
      setText(time, duration(lasted));
    });
    const more = there.length - SHOWN;
    setText(this.note, more > 0 ? t("drawer.staff.more", { n: more }) : there.length ? "" : t("drawer.staff.none"));
    setHidden(this.note, !this.note.textContent);
    setHidden(this.list, there.length === 0);
  }

  #drawChips(queue) {
    const counts = STATES.filter((state) => queue.agents[state]).map((state) => ({ state, n: queue.agents[state] }));
    const create = ({ state }) => h("span", { class: "drawer-mark", data: { state } }, icon(state), h("span"));
    keyed(this.chips, counts, ({ state }) => state, create, (node, { state, n }) => setText(node.lastChild, `${number(n)} ${t(`state.${state}`)}`));
  }
}
