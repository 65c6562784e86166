// One call of the list: why it is here, who with whom, what happens now, who listens already, and what one can do.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration, seconds } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { reasonText } from "/static/shared/reasons.js";
import { shortPeer } from "../floor/columns.js";
import { tookS } from "../transferfacts.js";
import { phaseText } from "../transferwords.js";

const NEED_MARKS = {
  alone: { shape: "critical", tone: "critical" },
  critical: { shape: "critical", tone: "critical" },
  slow: { shape: "timer", tone: "critical" },
  warning: { shape: "warning", tone: "warning" },
  transfer: { shape: "internal", tone: "info" },
  new: { shape: "person", tone: "info" },
};
const STATE_SHAPES = { ringing: "ringing", dialing: "ringing", talking: "talk", held: "hold" };

/** `deeds`: {hear(item, follow), claim(item), follow(item), open(item)}. */
export function createRow(deeds) {
  const parts = {
    need: icon("talk"),
    needWord: h("span", { class: "visually-hidden" }),
    who: h("span", { class: "call-who truncate" }),
    isNew: h("span", { class: "badge", data: { tone: "info" }, hidden: true }),
    where: h("span", { class: "call-where truncate" }),
    direction: icon("inbound"),
    directionWord: h("span", { class: "visually-hidden" }),
    peer: h("span", { class: "call-peer truncate" }),
    site: h("span", { class: "call-site truncate" }),
    state: h("span", { class: "call-state" }, icon("talk"), h("span", { class: "truncate" }), h("span", { class: "num" })),
    time: h("span", { class: "call-time" }),
    happening: h("span", { class: "badge call-happening", hidden: true }, icon("hold"), h("span"), h("span", { class: "num" })),
    flag: h("span", { class: "badge call-flag", hidden: true }, icon("warning"), h("span", { class: "truncate" })),
    listeners: h("span", { class: "call-listeners", hidden: true }, icon("listened"), h("span", { class: "truncate" })),
    claimed: h("span", { class: "call-claimed", hidden: true }, icon("person"), h("span", { class: "truncate" })),
  };
  const buttons = {
    star: h("button", { class: "button quiet icon-only call-star", type: "button", tabindex: "-1" }, icon("star")),
    claim: h("button", { class: "button call-claim", type: "button", tabindex: "-1" }),
    agent: h("button", { class: "button quiet icon-only call-agent", type: "button", tabindex: "-1" }, icon("person")),
    hear: h("button", { class: "button call-hear", type: "button", tabindex: "-1" }, icon("listened"), h("span")),
  };
  const node = h(
    "div",
    { class: "call-row", role: "listitem", tabindex: "-1" },
    h("span", { class: "call-need" }, parts.need, parts.needWord),
    h("span", { class: "call-lines" }, h("span", { class: "call-line" }, parts.who, parts.isNew), parts.where),
    h("span", { class: "call-lines" }, h("span", { class: "call-line call-with" }, parts.direction, parts.directionWord, parts.peer), parts.site),
    parts.time,
    h("span", { class: "call-lines" }, h("span", { class: "call-line" }, parts.state, parts.listeners, parts.claimed), h("span", { class: "call-line call-now" }, parts.happening, parts.flag)),
    h("span", { class: "call-deeds" }, buttons.star, buttons.claim, buttons.agent, buttons.hear),
  );
  Object.assign(node, { parts, buttons });
  const stop = (deed) => (event) => {
    event.stopPropagation();
    node.focus({ preventScroll: true }); // the keys go on from this line
    deed(node.item);
  };
  buttons.star.addEventListener("click", stop(deeds.follow));
  buttons.claim.addEventListener("click", stop(deeds.claim));
  buttons.agent.addEventListener("click", stop((item) => deeds.hear(item, "agent")));
  buttons.hear.addEventListener("click", stop((item) => deeds.hear(item, item.call ? "call" : "agent")));
  node.addEventListener("click", () => deeds.hear(node.item, node.item.call ? "call" : "agent"));
  return node;
}

/** `look`: {board, user, follows(agentKey), sounding(item): is it what sounds, onDeck(item): its number or 0}. */
export function updateRow(node, item, look) {
  const { parts, buttons } = node;
  const { board } = look;
  const { call, agent, site, leg } = item;
  node.item = item;
  const mark = NEED_MARKS[item.need];
  setIcon(parts.need, mark?.shape ?? "observed");
  setData(node, "tone", mark?.tone ?? "");
  setData(node, "need", item.need);
  setText(parts.needWord, mark ? t(`listen.need.${item.need}`) : "");
  setText(parts.who, agentName(item));
  setHidden(parts.isNew, !item.isNew);
  setText(parts.isNew, t("listen.new"));
  const where = [agent?.team, call?.queue && board.queueLabel(site, call.queue)].filter(Boolean).join(" · ");
  setText(parts.where, where);
  setAttr(parts.where, "title", where);
  drawParty(parts, item, board);
  setText(parts.site, board.saysSite(site) ? board.siteLabel(site) : board.markOf(site));
  const state = leg ? (STATE_SHAPES[leg.state] ?? "unknown") : agent.state;
  setData(parts.state, "state", state);
  setIcon(parts.state.firstChild, state);
  setText(parts.state.children[1], leg ? t(`drawer.leg_state.${leg.state}`) : stateWord(agent));
  drawFlag(parts.flag, item, board);
  drawOthers(parts, item, look);
  drawDeeds(buttons, item, look);
  setData(node, "sounding", look.sounding(item) ? "yes" : "");
  setAttr(node, "aria-label", labelOf(item, parts, board));
  setData(node, "stale", board.isStale(site) ? "yes" : "");
  tickRow(node, look);
}

export function agentName({ agent, leg, agentKey }) {
  return agent?.name || leg?.agent_id || agentKey.slice(agentKey.indexOf("/") + 1);
}

const stateWord = (agent) => [t(`state.${agent.state}`), agent.reason && reasonText(agent.reason)].filter(Boolean).join(" · ");

function drawParty(parts, { call, agent, site }, board) {
  setAttr(parts.direction, "hidden", !call);
  if (!call) {
    setText(parts.peer, t("listen.no_call"));
    setText(parts.directionWord, "");
    return;
  }
  const direction = ["inbound", "outbound", "internal"].includes(call.direction) ? call.direction : "internal";
  setIcon(parts.direction, direction);
  setText(parts.directionWord, t(`direction.${direction}`));
  const peer = otherParty(call, agent, site, board);
  setText(parts.peer, shortPeer(peer));
  setAttr(parts.peer, "title", peer);
}

/** Who is at the other end: the customer's number with its last four digits, or the colleague. */
export function otherParty(call, agent, site, board) {
  const peer = agent?.call?.call_id === call.call_id ? board.agentName(site, agent.call.peer) : "";
  return (call.direction === "inbound" ? call.from_number || peer : peer || call.from_number) || t("listen.unknown_party");
}

function drawFlag(node, { flags }, board) {
  const [flag] = flags;
  setHidden(node, !flag);
  if (!flag) return;
  const text = board.summary(flag);
  setData(node, "tone", flag.severity);
  setIcon(node.firstChild, flag.severity);
  setText(node.lastChild, flags.length > 1 ? `${text} +${flags.length - 1}` : text);
  setAttr(node, "title", flags.map((one) => board.summary(one)).join("\n"));
}

function drawOthers(parts, item, { user, sounding }) {
  const { listens, claim, agent } = item;
  const names = listens.map((listen) => (listen.user === user ? t("listen.you") : listen.user_name || listen.user));
  if (sounding(item)) names.unshift(t("listen.you")); // which this page knows before it is told
  const told = names.length ? [...new Set(names)].join(", ") : agent?.listened ? t("listen.somebody") : "";
  setHidden(parts.listeners, !told);
  setText(parts.listeners.lastChild, told);
  setAttr(parts.listeners, "title", told && t("listen.listening", { names: told }));
  setHidden(parts.claimed, !claim);
  if (!claim) return;
  const name = claim.user === user ? t("listen.you") : claim.user_name || claim.user;
  setText(parts.claimed.lastChild, t("listen.claimed", { name }));
  setAttr(parts.claimed, "title", t("listen.claimed.hint", { name }));
}

function drawDeeds(buttons, item, look) {
  const { call, agentKey, claim, leg, agent } = item;
  const followed = look.follows(agentKey);
  const name = agentName(item);
  setIcon(buttons.star.firstChild, followed ? "starred" : "star");
  setAttr(buttons.star, "aria-pressed", String(followed));
  label(buttons.star, t(followed ? "listen.unfollow" : "listen.follow", { name }));
  const mine = claim?.user === look.user;
  setHidden(buttons.claim, !call || !(item.alone || claim));
  buttons.claim.disabled = Boolean(claim) && !mine;
  setText(buttons.claim, t(mine ? "listen.release" : "listen.claim"));
  setAttr(buttons.claim, "title", claim && !mine ? t("listen.claimed.hint", { name: claim.user_name || claim.user }) : t("listen.claim.hint"));
  setHidden(buttons.agent, !call || !(leg?.agent_id || agent));
  label(buttons.agent, t("listen.hear.agent", { name }));
  const number = look.onDeck(item);
  setText(buttons.hear.lastChild, look.sounding(item) ? t("listen.sounding") : number ? t("listen.hear.deck", { n: number }) : t("listen.hear"));
  setAttr(buttons.hear, "title", t(call ? "listen.hear.call" : "listen.hear.agent", { name }));
}

function label(node, words) {
  setAttr(node, "title", words);
  setAttr(node, "aria-label", words);
}

function labelOf(item, parts, board) {
  const { call, agent, site } = item;
  const words = [
    agentName(item), item.isNew && t("listen.new"), parts.where.textContent,
    call && `${t(`direction.${call.direction}`)} ${otherParty(call, agent, site, board)}`,
    parts.state.children[1].textContent, NEED_MARKS[item.need] && t(`listen.need.${item.need}`),
    !parts.listeners.hidden && t("listen.listening", { names: parts.listeners.textContent }),
    !parts.claimed.hidden && parts.claimed.textContent,
  ];
  return words.filter(Boolean).join(", ");
}

/** What moves by itself. */
export function tickRow(node, { board }, local = performance.now()) {
  const { item, parts } = node;
  const { site } = item;
  const since = (iso) => board.clocks.since(site, iso, local);
  setText(parts.time, duration(since(item.since)));
  const running = item.transfer?.running ? item.transfer.transfer : null;
  const held = item.heldSince && item.leg.state === "held"; // which the state says already
  setText(parts.state.lastChild, held ? duration(since(item.heldSince)) : "");
  const elsewhere = item.heldSince && !held;
  setHidden(parts.happening, !running && !elsewhere && !item.alone && !item.transfer);
  if (parts.happening.hidden) return;
  const [shape, word, time] = parts.happening.children;
  if (item.alone) show("critical", "critical", t("listen.alone"), duration(since(item.aloneSince)));
  else if (running) {
    const took = tookS(running, board.clocks.now(site, local));
    show("timer", item.transfer.slow ? "critical" : "info", t("listen.transfer", { phase: phaseText(running) }), seconds(took));
  } else if (elsewhere) show("hold", "", t("drawer.leg_state.held"), duration(since(item.heldSince)));
  else show("timer", "critical", t("listen.transfer.was"), seconds(tookS(item.transfer.transfer)));

  function show(name, tone, text, value) {
    setIcon(shape, name);
    setData(parts.happening, "tone", tone);
    setData(parts.happening, "state", tone ? "" : "hold");
    setText(word, text);
    setText(time, value);
  }
}
