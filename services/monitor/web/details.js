// All that is known of one agent, in a drawer that stays current while it is open.

import { fill, h, openDrawer } from "/static/shared/dom.js";
import { NO_DATA, age, clock, duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { reasonText } from "/static/shared/reasons.js";
import { onTick } from "/static/shared/ticker.js";
import { summary } from "./card.js";

export function openDetails(board, key) {
  const agent = board.store.agents.get(key);
  if (!agent) return;
  let drawn = "";
  const body = h("div", { class: "stack details" });
  const stop = onTick(draw);
  openDrawer({
    title: agent.name || agent.agent_id,
    closeLabel: t("action.close"),
    body,
    onClose: stop,
  });
  draw();

  function draw() {
    const lines = describe(board, key);
    const now = JSON.stringify(lines);
    if (now === drawn) return;
    drawn = now;
    fill(
      body,
      lines.state && h("p", { class: "details-state", data: { state: lines.state } }, icon(lines.state), lines.headline),
      lines.flags.map(({ severity, text }) => h("p", { class: "notice", data: { tone: severity } }, icon(severity), text)),
      h("dl", { class: "facts" }, lines.facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value || NO_DATA)])),
    );
  }
}

function describe(board, key) {
  const agent = board.store.agents.get(key);
  if (!agent) return { state: "", flags: [], facts: [[t("details.gone"), ""]] };
  const { clocks } = board;
  const zone = board.zone(agent.site);
  const since = (iso) => duration(clocks.since(agent.site, iso));
  const seen = age(clocks.since(agent.site, agent.seen));
  const facts = [
    [t("details.agent"), agent.agent_id],
    [t("details.team"), agent.team],
    [t("details.queues"), agent.queues.map((queue) => board.queueLabel(agent.site, queue)).join(", ")],
    [t("details.since"), `${clock(agent.since, zone)} (${since(agent.since)})`],
    [t("details.provenance"), `${t(`legend.${agent.provenance}`)}: ${t(`provenance.${agent.provenance}`)}`],
    [t("details.seen"), `${clock(agent.seen, zone)} (${t("details.ago", { age: seen })})`],
  ];
  if (agent.reason) facts.push([t("details.reason"), reasonText(agent.reason)]);
  if (agent.until) facts.push([t("details.until"), clock(agent.until, zone)]);
  if (agent.call) facts.push(...callFacts(board, agent, since));
  if (agent.listened) facts.push([t("details.listened"), t("card.listened")]);
  if (agent.tags.length) facts.push([t("details.tags"), agent.tags.join(", ")]);
  facts.push([t("details.site"), board.siteLabel(agent.site)]);
  const flags = [...board.store.flags.values()].filter((flag) => board.agentOfFlag(flag) === key);
  return {
    state: agent.state,
    headline: `${t(`state.${agent.state}`)} ${since(agent.since)}`,
    flags: flags.map((flag) => ({ severity: flag.severity, text: summary(flag) })),
    facts,
  };
}

function callFacts(board, agent, since) {
  const { call } = agent;
  const view = board.store.calls.get(`${agent.site}/${call.call_id}`);
  const words = [
    t(`direction.${call.direction}`),
    board.queueLabel(agent.site, call.queue),
    board.agentName(agent.site, call.peer),
  ];
  const facts = [
    [t("details.call"), words.filter(Boolean).join(" · ")],
    [t("details.call_since"), since(call.since)],
  ];
  if (view?.queued_since) facts.push([t("details.queued"), since(view.queued_since)]);
  if (call.other_calls) facts.push([t("details.other_calls"), String(call.other_calls)]);
  facts.push([t("details.call_id"), call.call_id]);
  return facts;
}
