// The call an agent is on: who with, since when, and every leg of it.

import { h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { NumberReveal } from "./numbers.js";
import { Facts, isRewind, link } from "./parts.js";

const LEG_SHAPES = { ringing: "ringing", dialing: "ringing", talking: "talk", held: "hold" };

export class CallPart {
  constructor(board) {
    this.board = board;
    this.none = h("p", { class: "drawer-note", text: t("drawer.call.none") });
    this.direction = icon("inbound");
    this.words = h("span", { class: "call-words" });
    this.time = h("strong", { class: "call-time num" });
    this.head = h("p", { class: "call-head" }, this.direction, this.words, this.time);
    this.facts = new Facts();
    this.legsHead = h("h4", { text: t("drawer.legs") });
    this.legs = h("ul", { class: "call-legs" });
    this.revealSlot = h("div");
    this.nodes = [this.none, this.head, this.facts.node, this.revealSlot, this.legsHead, this.legs];
  }

  draw(agent, local) {
    const { board } = this;
    const { call } = agent;
    setHidden(this.none, Boolean(call));
    for (const node of this.nodes.slice(1)) setHidden(node, !call);
    this.#keepReveal(call && !isRewind(board) ? { site: agent.site, call_id: call.call_id } : null);
    if (!call) return;
    const view = board.store.calls.get(`${agent.site}/${call.call_id}`);
    const direction = ["inbound", "outbound", "internal"].includes(call.direction) ? call.direction : "inbound";
    setIcon(this.direction, direction);
    setText(this.words, t(`direction.${direction}`));
    setText(this.time, duration(board.clocks.since(agent.site, call.since, local)));
    this.facts.draw(this.#factsOf(agent, call, view, local));
    this.#drawLegs(agent.site, view, local);
  }

  #factsOf(agent, call, view, local) {
    const { board } = this;
    const { site } = agent;
    const since = (iso) => duration(board.clocks.since(site, iso, local));
    const queue = call.queue && [{ text: board.queueLabel(site, call.queue), open: () => board.openQueue(`${site}/${call.queue}`) }];
    const facts = [
      [t("drawer.queue"), queue],
      [t("drawer.number"), otherNumber(call, view, board, site)],
    ];
    if (view?.queued_since) facts.push([t("drawer.queued"), since(view.queued_since)]);
    if (view) facts.push([t("drawer.call.length"), since(view.started)]);
    if (call.other_calls) facts.push([t("drawer.other_calls"), String(call.other_calls)]);
    facts.push([t("drawer.call.id"), call.call_id]);
    for (const [name, value] of Object.entries(view?.attributes ?? {})) facts.push([name, value]);
    return facts;
  }

  #drawLegs(site, view, local) {
    const { board } = this;
    const legs = view?.legs ?? [];
    setHidden(this.legsHead, legs.length === 0);
    const create = () => h("li", { class: "call-leg" }, icon("talk"), h("span", { class: "call-leg-who truncate" }), h("span", { class: "call-leg-state" }), h("span", { class: "num" }));
    keyed(this.legs, legs, ({ leg_id: id }) => id, create, (node, leg) => {
      const [shape, who, state, time] = node.children;
      setIcon(shape, LEG_SHAPES[leg.state] ?? "unknown");
      setData(node, "state", LEG_SHAPES[leg.state] ?? "unknown");
      drawWho(who, leg, site, board);
      setText(state, `${t(`drawer.role.${leg.role}`)} · ${t(`drawer.leg_state.${leg.state}`)}`);
      setText(time, duration(board.clocks.since(site, leg.since, local)));
    });
  }

  #keepReveal(subject) {
    const key = subject ? subject.call_id : "";
    if (this.revealed === key) return;
    this.revealed = key;
    this.reveal?.destroy();
    this.reveal = subject && new NumberReveal(subject);
    if (this.reveal) this.revealSlot.append(this.reveal.node);
  }

  destroy() {
    this.reveal?.destroy();
  }
}

/** The other party: who calls in, who is dialled, or the colleague. */
function otherNumber(call, view, board, site) {
  const peer = board.agentName(site, call.peer);
  return call.direction === "inbound" ? view?.from_number || peer : peer || view?.from_number;
}

function drawWho(node, leg, site, board) {
  const text = leg.agent_id ? board.agentName(site, leg.agent_id) : NO_DATA;
  if (node.mark === text) return;
  node.mark = text;
  node.replaceChildren(leg.agent_id ? link(text, () => board.openAgent(`${site}/${leg.agent_id}`)) : text);
  setAttr(node, "title", text);
}
