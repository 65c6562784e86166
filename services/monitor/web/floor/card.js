// An agent's card, and the heading of a team.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { sayReason } from "/static/shared/reasons.js";
import { STATES } from "../agentlist.js";
import { evidenceMark } from "../evidence.js";
import { heldSince, judged, transferLabel, transferText, transferTime, whyText, wrapText } from "./activity.js";
import { directionText, shortPeer } from "./columns.js";
import { drawMarks, drawRow, label, tickAge, tickRow } from "./grid.js";

export function createCard(open) {
  const parts = {
    shape: icon("unknown"),
    name: h("span", { class: "card-name truncate" }),
    flag: h("span", { class: "card-mark card-flag", role: "img", hidden: true }, icon("warning")),
    listened: h("span", { class: "card-mark card-listened", role: "img", hidden: true }, icon("listened")),
    flapping: h("span", { class: "card-mark card-flapping", role: "img", hidden: true }, icon("flapping")),
    provenance: evidenceMark("card-mark card-provenance"),
    age: h("span", { class: "card-age" }),
    state: h("span", { class: "card-state truncate" }),
    time: h("span", { class: "card-time" }),
    direction: h("span", { class: "card-direction", role: "img", hidden: true }, icon("inbound")),
    detail: h("span", { class: "card-where truncate" }),
    peer: h("span", { class: "card-peer" }),
    hold: h("span", { class: "card-hold", role: "img", hidden: true }, icon("hold"), h("span")),
    second: h("span", { class: "card-second" }),
  };
  const marks = h("span", { class: "card-marks" }, parts.flag, parts.flapping, parts.listened, parts.provenance, parts.age);
  const node = h(
    "div",
    { class: "card agent", role: "listitem", tabindex: "-1", on: { click: () => open(node.item.key) } },
    h("span", { class: "card-shape" }, parts.shape),
    h("span", { class: "card-line" }, parts.name, marks),
    h("span", { class: "card-line" }, parts.state, parts.time),
    h("span", { class: "card-line card-detail" }, parts.direction, parts.detail, parts.peer, parts.hold, parts.second),
  );
  node.parts = parts;
  return node;
}

/** What a card or line shows beside the agent's own view. */
function aroundOf({ key, agent }, board) {
  const { store } = board;
  const { site, call } = agent;
  const callKey = call ? `${site}/${call.call_id}` : "";
  return {
    agent,
    flag: board.flagOf(key),
    transfer: store.running.get(key) ?? null,
    call: store.calls.get(callKey) ?? null,
    held: heldSince(agent, board),
    stale: board.isStale(site) || agent.provenance === "stale",
    queueLabel: call ? board.queueLabel(site, call.queue) : "",
    peerName: call ? board.agentName(site, call.peer) : "", // a colleague's, or the number itself
    title: [agent.name || agent.agent_id, agent.team, board.manySites() && board.siteLabel(site)].filter(Boolean).join(" · "),
    language: language(),
  };
}

/** Draw `item` = {key, agent} as a card or a line, as far as something changed that it shows. */
export function updateAgent(node, item, board, index) {
  const around = aroundOf(item, board);
  const drawn = node.around;
  const changed = !drawn || Object.keys(around).some((name) => around[name] !== drawn[name]);
  Object.assign(node, { item, around });
  if (node.cells) {
    if (changed || node.drawnAt !== index) drawRow(node, item, around, board, index);
    node.drawnAt = index;
  } else if (changed) {
    drawCard(node.parts, node, around, board);
  }
  tickAgent(node, board);
}

function drawCard(parts, node, around, board) {
  const { agent, flag } = around;
  setData(node, "state", agent.state);
  setData(node, "stale", around.stale ? "yes" : "");
  setData(node, "flagged", flag ? flag.severity : "");
  setIcon(parts.shape, agent.state);
  setText(parts.name, agent.name || agent.agent_id);
  setAttr(parts.name, "title", around.title);
  setText(parts.state, t(`state.${agent.state}`));
  drawMarks(parts, agent, flag, board);
  drawDetail(parts, node, around, board);
}

/** The last line: the transfer that runs, else the call, else why somebody is not ready. */
function drawDetail(parts, node, { agent, transfer, held, queueLabel, peerName }, board) {
  const { call } = agent;
  setData(node, "transfer", transfer ? "yes" : "");
  setHidden(parts.direction, !call || Boolean(transfer));
  setHidden(parts.hold, !held || agent.state === "hold" || Boolean(transfer));
  if (!parts.hold.hidden) label(parts.hold, t("card.held"));
  setAttr(parts.peer, "title", call?.peer || null);
  setAttr(parts.detail, "title", transfer ? transferLabel(agent, transfer, board) : null);
  if (transfer) {
    setText(parts.detail, transferText(agent, transfer, board));
    setText(parts.peer, "");
  } else if (call) {
    setIcon(parts.direction.firstChild, ["outbound", "internal"].includes(call.direction) ? call.direction : "inbound");
    label(parts.direction, directionText(call));
    const more = call.other_calls ? t("card.other_calls", { n: call.other_calls }) : "";
    setText(parts.detail, queueLabel);
    setText(parts.peer, [shortPeer(peerName), more].filter(Boolean).join(" "));
  } else {
    setText(parts.detail, whyText(agent));
    setText(parts.peer, "");
  }
}

/** A flag's words in the reader's language. */
export function summary(flag) {
  const text = (language() === "zh-CN" ? flag.summary_zh : flag.summary_en) || flag.summary_en || flag.rule;
  return sayReason(text, flag.labels.reason);
}

/** What moves by itself: time in state, length of the call, the transfer, the end of a wrap timer, the age of what is old. */
export function tickAgent(node, board, local) {
  if (node.cells) tickRow(node, board, local);
  else tickCard(node, board, local);
}

function tickCard(node, board, local) {
  const { parts, around } = node;
  const { agent, transfer, held } = around;
  const { clocks } = board;
  const inState = clocks.since(agent.site, agent.since, local);
  setText(parts.time, duration(inState));
  const { tone, title } = judged(agent.state, inState);
  setData(parts.time, "tone", tone);
  setAttr(parts.time, "title", title);
  tickAge(parts.age, agent, around, board, local);
  if (!parts.hold.hidden) {
    const seconds = clocks.since(agent.site, held, local);
    setText(parts.hold.lastChild, duration(seconds));
    setData(parts.hold, "tone", judged("hold", seconds).tone);
  }
  const { text, slow } = transfer ? transferTime(transfer, clocks, local) : { text: secondTime(agent, clocks, local), slow: false };
  setText(parts.second, text);
  setData(node, "slow", slow ? "yes" : "");
}

/** Beside the call how long it lasts, where that is not the time in the state; else when a wrap timer ends. */
function secondTime(agent, clocks, local) {
  if (!agent.call) return wrapText(agent, clocks, local);
  return agent.call.since === agent.since ? "" : duration(clocks.since(agent.site, agent.call.since, local));
}

/** The heading of a team; in the dense view it is a line of the grid like the others. */
export function createHead(inGrid) {
  const title = h("h3", { class: "team-name truncate" });
  const mark = h("span", { class: "site-mark" });
  const counts = h("span", { class: "team-counts" });
  const content = h("div", { class: "team-head-content", role: inGrid ? "gridcell" : null }, title, mark, counts);
  const node = h("div", { class: "team-head", role: inGrid ? "row" : "listitem" }, content);
  const chips = new Map();
  for (const state of STATES) {
    const number = h("span");
    const chip = h("span", { class: "team-count", data: { state }, hidden: true }, icon(state), number);
    chips.set(state, { chip, number });
    counts.append(chip);
  }
  node.parts = { title, mark, chips };
  return node;
}

export function updateHead(node, { title, mark, counts, total }) {
  setText(node.parts.title, `${title} · ${total}`);
  setText(node.parts.mark, mark);
  for (const [state, { chip, number }] of node.parts.chips) {
    const n = counts[state] ?? 0;
    setHidden(chip, n === 0);
    setText(number, n);
    setAttr(chip, "title", `${t(`state.${state}`)}: ${n}`);
  }
}
