// Everything of one agent.

import { fill, h, setData, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA, age, clock, duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { may } from "/static/shared/me.js";
import { reasonText } from "/static/shared/reasons.js";
import { listenedText } from "../floor/listened.js";
import { levelOf, thresholds } from "../thresholds.js";
import { CallPart } from "./callpart.js";
import { callsToday, transfersToday } from "./daylists.js";
import { PartitionPart } from "./partition.js";
import { Facts, FlagList, Notice, Tiles, apart, section, staleness } from "./parts.js";
import { TransferLegs } from "./transferlegs.js";

export class AgentPanel {
  constructor(root, board, key) {
    Object.assign(this, { root, board, key, agent: null, counted: "" });
    Object.assign(this, apart(key));
    this.head = new Head(board);
    this.listen = listenLink(key);
    this.notice = new Notice();
    this.flags = new FlagList(board);
    this.call = new CallPart(board);
    this.legs = new TransferLegs(board);
    this.partition = new PartitionPart(board);
    this.tiles = new Tiles();
    this.known = new Facts();
    this.who = new Facts();
    this.legsPart = section(t("drawer.transfers.now"), this.legs.list);
    this.now = h(
      "div",
      { class: "drawer-parts" },
      this.head.node,
      this.listen.node,
      this.flags.node,
      section(t("drawer.call"), this.call.nodes),
      this.legsPart,
      section(t("drawer.partition"), this.partition.nodes),
      section(t("drawer.figures"), this.tiles.node),
    );
    this.lists = [callsToday(board, key), transfersToday(board, key)];
    this.knownPart = section(t("drawer.provenance"), this.known.node);
    this.whoPart = section(t("drawer.who"), this.who.node);
    const tail = h("div", { class: "drawer-parts" }, this.knownPart, this.whoPart);
    fill(root, this.notice.node, this.now, this.lists.map(({ node }) => node), tail);
    this.tail = tail;
  }

  title() {
    return this.agent?.name || this.id;
  }

  draw(local) {
    const { board, key } = this;
    const agent = board.store.agents.get(key);
    const gone = board.store.loaded && !agent && !board.isComing(this.site);
    this.agent = agent ?? this.agent;
    const late = staleness(board, this.site);
    this.notice.draw(gone ? t(this.agent ? "drawer.agent.gone" : "drawer.agent.unknown", { id: this.id }) : late);
    setHidden(this.now, !this.agent);
    setHidden(this.tail, !this.agent);
    setData(this.root, "stale", gone || late || agent?.provenance === "stale" ? "yes" : "");
    if (agent) this.#drawAgent(agent, local);
    for (const list of this.lists) list.draw();
  }

  #drawAgent(agent, local) {
    const { board, key, id } = this;
    this.head.draw(agent, local);
    setHidden(this.listen.node, board.rewound || !may("calls.listen"));
    this.flags.draw([...board.store.flags.values()].filter((flag) => board.agentOfFlag(flag) === key), local);
    this.call.draw(agent, local);
    const transfers = [...board.store.transfers.values()].filter((one) => one.site === this.site && concerns(one, id, agent.call));
    setHidden(this.legsPart, transfers.length === 0);
    this.legs.draw(transfers, local);
    this.partition.draw(agent, local);
    this.tiles.draw(figures(agent));
    this.known.draw(provenance(agent, board, local));
    this.who.draw(this.#who(agent));
    const counted = `${agent.today?.handled}|${agent.today?.transfers}|${transfers.length}`;
    if (this.counted && this.counted !== counted) for (const list of this.lists) list.askSoon();
    this.counted = counted;
  }

  #who(agent) {
    const { board, site } = this;
    const queues = agent.queues.map((queue) => ({ text: board.queueLabel(site, queue), open: () => board.openQueue(`${site}/${queue}`) }));
    return [
      [t("drawer.agent.id"), agent.agent_id],
      [t("drawer.team"), agent.team],
      [t("drawer.queues"), queues],
      [t("drawer.tags"), agent.tags.join(", ")],
      [t("drawer.site"), board.siteLabel(site)],
    ];
  }

  destroy() {
    this.call.destroy();
    for (const list of this.lists) list.end();
  }
}

/** Whether a transfer is this agent's, or of the call the agent is on. */
function concerns(transfer, id, call) {
  return transfer.from_agent === id || transfer.to_agent === id || (call && transfer.call_id === call.call_id);
}

/** The way to the page on which this agent can be heard. */
function listenLink(key) {
  const site = key.slice(0, key.indexOf("/"));
  const address = `/listen?${new URLSearchParams({ site, agent: key })}`;
  return { node: h("a", { class: "button drawer-listen", href: address, hidden: true }, icon("listened"), t("drawer.listen")) };
}

/** State with shape, word and time; who, below. */
class Head {
  constructor(board) {
    this.board = board;
    this.shape = icon("unknown");
    this.word = h("span");
    this.time = h("span", { class: "drawer-state-time num" });
    this.level = h("span", { class: "drawer-mark", hidden: true }, icon("warning"), h("span"));
    this.line = h("p", { class: "drawer-state" }, this.shape, this.word, this.time, this.level);
    this.more = h("p", { class: "drawer-note" });
    this.node = h("div", { class: "drawer-hero" }, this.line, this.more);
  }

  draw(agent, local) {
    const { board } = this;
    const lasted = board.clocks.since(agent.site, agent.since, local);
    setData(this.line, "state", agent.state);
    setIcon(this.shape, agent.state);
    setText(this.word, t(`state.${agent.state}`));
    setText(this.time, duration(lasted));
    const limits = thresholds.agent(agent.state);
    const level = levelOf(lasted, limits);
    setHidden(this.level, !level);
    if (level) {
      setData(this.level, "tone", level);
      setIcon(this.level.firstChild, level);
      setText(this.level.lastChild, t("drawer.over", { time: duration(level === "critical" ? limits.crit : limits.warn) }));
    }
    setText(this.more, this.#words(agent, local).join(" · "));
  }

  #words(agent, local) {
    const { board } = this;
    const zone = board.zone(agent.site);
    const words = [t("drawer.since", { time: clock(agent.since, zone) })];
    if (agent.reason) words.unshift(reasonText(agent.reason));
    if (agent.until) {
      const left = -board.clocks.since(agent.site, agent.until, local);
      words.push(t("drawer.wrap_ends", { time: clock(agent.until, zone), left: duration(Math.ceil(left)) }));
    }
    if (agent.listened) words.push(listenedText(agent));
    return [...words, agent.team, board.manySites() && board.siteLabel(agent.site), board.markOf(agent.site)].filter(Boolean);
  }
}

function figures({ today }) {
  const handling = today && today.handled ? (today.talk_s + today.hold_s + today.wrap_s) / today.handled : null;
  const row = today?.missed_in_row ? t("drawer.missed.row", { n: today.missed_in_row }) : "";
  return [
    { name: t("drawer.handled"), value: number(today?.handled) },
    { name: t("drawer.aht"), value: duration(handling), note: handling === null ? "" : t("drawer.aht.note") },
    { name: t("drawer.occupancy"), value: percent(today?.occupancy) },
    { name: t("drawer.missed"), value: number(today?.missed), note: row, tone: row ? "warning" : "" },
    { name: t("drawer.transfers.asked"), value: number(today?.transfers) },
  ];
}

/** How what is shown is known, in words. */
function provenance(agent, board, local) {
  const zone = board.zone(agent.site);
  const kind = board.isStale(agent.site) ? "stale" : agent.provenance;
  const seen = board.clocks.since(agent.site, agent.seen, local);
  const facts = [
    [t("drawer.known"), `${t(`legend.${kind}`)}: ${t(`provenance.${kind}`)}`],
    [t("drawer.seen"), seen === null ? NO_DATA : t("drawer.seen.at", { time: clock(agent.seen, zone), age: age(seen) })],
  ];
  if (agent.lease_until) facts.push([t("drawer.lease"), t("drawer.lease.until", { time: clock(agent.lease_until, zone) })]);
  if (agent.flapping_since) facts.push([t("drawer.flapping"), t("card.flapping", { time: clock(agent.flapping_since, zone) })]);
  return facts;
}
