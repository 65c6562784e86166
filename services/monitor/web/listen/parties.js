// Who is in the call, from our own engine: every leg with its role and state, the customer, and the transfer that runs.

import { h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { isRunning, legsOf, tookS } from "../transferfacts.js";
import { phaseText, routeText } from "../transferwords.js";
import { otherParty } from "./row.js";

const SHAPES = { ringing: "ringing", dialing: "ringing", talking: "talk", held: "hold" };

export class Parties {
  constructor(board) {
    this.board = board;
    this.title = h("h3");
    this.list = h("ul", { class: "party-list" });
    this.transfer = h("p", { class: "party-transfer", hidden: true }, icon("timer"), h("span"), h("span", { class: "num" }));
    this.legs = h("p", { class: "party-legs muted", hidden: true });
    this.none = h("p", { class: "muted party-none" });
    this.node = h("section", { class: "parties" }, this.title, this.none, this.list, this.transfer, this.legs);
  }

  draw(item, local = performance.now()) {
    const { board } = this;
    const call = board.store.calls.get(item.callKey) ?? null;
    setText(this.title, t("listen.parties"));
    setHidden(this.none, Boolean(call));
    setText(this.none, t(item.target.follow === "agent" ? "listen.parties.waiting" : "listen.parties.over"));
    keyed(this.list, call ? this.#partiesOf(call) : [], ({ key }) => key, createParty, (node, party) => {
      const [shape, who, what, time] = node.children;
      setIcon(shape, SHAPES[party.state] ?? "unknown");
      setData(node, "state", SHAPES[party.state] ?? "unknown");
      setText(who, party.who);
      setText(what, party.what);
      setText(time, party.since ? duration(board.clocks.since(call.site, party.since, local)) : "");
    });
    this.#drawTransfer(item.callKey, local);
  }

  #partiesOf(call) {
    const { board } = this;
    const agent = board.store.agents.get(board.store.agentOfCall.get(`${call.site}/${call.call_id}`)) ?? null;
    const talks = call.legs.some((leg) => leg.state === "talking" && leg.role === "agent");
    const held = !talks && (call.state === "transferring" || call.legs.some((leg) => leg.state === "held"));
    const state = held ? "held" : ["started", "queued", "ringing"].includes(call.state) ? "ringing" : "talking";
    const customer = { key: "customer", who: otherParty(call, agent, call.site, board), what: t(`listen.customer.${state}`), state, since: null };
    const legs = call.legs.map((leg) => ({
      key: leg.leg_id, who: leg.agent_id ? board.agentName(call.site, leg.agent_id) : t("listen.unknown_party"),
      what: whatOf(leg), state: leg.state, since: leg.since,
    }));
    return [customer, ...legs];
  }

  #drawTransfer(callKey, local) {
    const { board } = this;
    const transfer = [...board.store.runningTransfers.values()].find((one) => `${one.site}/${one.call_id}` === callKey && isRunning(one));
    setHidden(this.transfer, !transfer);
    setHidden(this.legs, !transfer);
    if (!transfer) return;
    const now = board.clocks.now(transfer.site, local);
    const took = tookS(transfer, now);
    const [, words, time] = this.transfer.children;
    setData(this.transfer, "tone", took > 7 ? "critical" : "info");
    setText(words, `${routeText(transfer, board)} · ${phaseText(transfer)}`);
    setText(time, seconds(took));
    setText(this.legs, legsOf(transfer, now).map((leg) => `${t(`listen.leg.${leg.name}`)} ${seconds(leg.seconds)}`).join(" · "));
  }
}

/** Who rings is with nobody yet. */
function whatOf({ role, state }) {
  const word = t(`drawer.leg_state.${state}`);
  return ["ringing", "dialing"].includes(state) && role === "agent" ? word : `${t(`drawer.role.${role}`)} · ${word}`;
}

function createParty() {
  return h("li", { class: "party" }, icon("talk"), h("span", { class: "party-who truncate" }), h("span", { class: "party-what truncate" }), h("span", { class: "num" }));
}
