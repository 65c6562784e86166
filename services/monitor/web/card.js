// An agent's card, and the heading of a team.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, duration } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { reasonText, sayReason } from "/static/shared/reasons.js";
import { STATES } from "./agentlist.js";
import { drawEvidence, evidenceMark } from "./evidence.js";

export function createCard(open) {
  const parts = {
    shape: icon("unknown"),
    name: h("span", { class: "card-name truncate" }),
    flag: h("span", { class: "card-mark card-flag", role: "img", hidden: true }, icon("warning")),
    listened: h("span", { class: "card-mark card-listened", role: "img", hidden: true }, icon("listened")),
    flapping: h("span", { class: "card-mark card-flapping", role: "img", hidden: true }, icon("flapping")),
    provenance: evidenceMark("card-mark card-provenance"),
    state: h("span", { class: "card-state truncate" }),
    time: h("span", { class: "card-time" }),
    direction: h("span", { class: "card-direction", role: "img", hidden: true }, icon("inbound")),
    detail: h("span", { class: "card-where truncate" }),
    peer: h("span", { class: "card-peer" }),
    second: h("span", { class: "card-second" }),
  };
  const marks = h("span", { class: "card-marks" }, parts.flag, parts.flapping, parts.listened, parts.provenance);
  const node = h(
    "div",
    { class: "card", role: "listitem", tabindex: "-1", on: { click: () => open(node.item.key) } },
    h("span", { class: "card-shape" }, parts.shape),
    h("span", { class: "card-line" }, parts.name, marks),
    h("span", { class: "card-line" }, parts.state, parts.time),
    h("span", { class: "card-line card-detail" }, parts.direction, parts.detail, parts.peer, parts.second),
  );
  node.parts = parts;
  return node;
}

/** Draw `item` = {key, agent}, as far as something changed that the card shows. */
export function updateCard(node, item, board) {
  const { agent } = item;
  const around = {
    flag: board.flagOf(item.key),
    stale: board.isStale(agent.site),
    queueLabel: agent.call ? board.queueLabel(agent.site, agent.call.queue) : "",
    peerName: agent.call ? board.agentName(agent.site, agent.call.peer) : "", // a colleague's, or the number itself
    siteLabel: board.manySites() ? board.siteLabel(agent.site) : "",
  };
  const { flag, stale, queueLabel, peerName, siteLabel } = around;
  const mark = `${language()}|${stale}|${flag?.flag_id ?? ""}|${queueLabel}|${peerName}|${siteLabel}`;
  if (node.item?.agent !== agent || node.mark !== mark) {
    node.mark = mark;
    node.item = item;
    drawCard(node.parts, node, agent, around, board);
  }
  tickCard(node, board.clocks);
}

function drawCard(parts, node, agent, { flag, stale, queueLabel, peerName, siteLabel }, board) {
  setData(node, "state", agent.state);
  setData(node, "stale", stale || agent.provenance === "stale" ? "yes" : "");
  setData(node, "flagged", flag ? flag.severity : "");
  setIcon(parts.shape, agent.state);
  setText(parts.name, agent.name || agent.agent_id);
  setAttr(parts.name, "title", [agent.name || agent.agent_id, agent.team, siteLabel].filter(Boolean).join(" · "));
  setText(parts.state, t(`state.${agent.state}`));
  setHidden(parts.flag, !flag);
  if (flag) {
    setIcon(parts.flag.firstChild, flag.severity);
    setData(parts.flag, "tone", flag.severity);
    label(parts.flag, summary(flag));
  }
  setHidden(parts.listened, !agent.listened);
  label(parts.listened, t("card.listened"));
  setHidden(parts.flapping, !agent.flapping_since);
  if (agent.flapping_since) {
    label(parts.flapping, t("card.flapping", { time: clock(agent.flapping_since, board.zone(agent.site)) }));
  }
  drawEvidence(parts.provenance, agent, board);
  drawDetail(parts, agent, queueLabel, peerName);
}

function drawDetail(parts, agent, queueLabel, peerName) {
  const { call } = agent;
  setHidden(parts.direction, !call);
  if (call) {
    const direction = ["inbound", "outbound", "internal"].includes(call.direction) ? call.direction : "inbound";
    setIcon(parts.direction.firstChild, direction);
    label(parts.direction, t(`direction.${direction}`));
    const more = call.other_calls ? t("card.other_calls", { n: call.other_calls }) : "";
    setText(parts.detail, queueLabel);
    setText(parts.peer, [shortPeer(peerName), more].filter(Boolean).join(" "));
    setAttr(parts.peer, "title", call.peer || null);
  } else {
    setText(parts.detail, agent.reason ? reasonText(agent.reason) : "");
    setText(parts.peer, "");
  }
}

/** A masked number without its long row of dots: "+•••••••4821" -> "••4821". */
function shortPeer(peer) {
  return peer.replace(/^[+\d]*[•*]+/, "••");
}

/** A flag's words in the reader's language. */
export function summary(flag) {
  const text = (language() === "zh-CN" ? flag.summary_zh : flag.summary_en) || flag.summary_en || flag.rule;
  return sayReason(text, flag.labels.reason);
}

function label(node, text) {
  setAttr(node, "aria-label", text);
  setAttr(node, "title", text);
}

/** What moves by itself: time in state, length of the call, the end of a wrap timer. */
export function tickCard(node, clocks, local) {
  const { agent } = node.item;
  const { parts } = node;
  setText(parts.time, duration(clocks.since(agent.site, agent.since, local)));
  if (agent.call) {
    const length = clocks.since(agent.site, agent.call.since, local);
    setText(parts.second, agent.call.since === agent.since ? "" : duration(length));
  } else if (agent.until) {
    const left = clocks.since(agent.site, agent.until, local);
    setText(parts.second, left === null ? "" : t("card.ends_in", { time: duration(Math.ceil(-left)) }));
  } else {
    setText(parts.second, "");
  }
}

export function createHead() {
  const title = h("h3", { class: "team-name truncate" });
  const mark = h("span", { class: "site-mark" });
  const counts = h("span", { class: "team-counts" });
  const node = h("div", { class: "team-head", role: "listitem" }, title, mark, counts);
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
