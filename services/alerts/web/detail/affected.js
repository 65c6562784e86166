// Whom and what it touched: agents, calls, queues and transfers that the flags name, with the way to each on the wallboard.

import { h } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { agentLink, queueLink, transferLink } from "./links.js";
import { away, part } from "./parts.js";

const AT_ONCE = 12; // of each kind
const LINKS = { agent: agentLink, queue: queueLink, transfer: transferLink };
const ICONS = { agent: "person", queue: "rows", call: "talk", transfer: "outbound" };

export function affectedPart() {
  return part("affected", {
    title: "detail.affected",
    pick({ flags, incident }) {
      const found = affected(flags);
      return Object.values(found).some((all) => all.length) ? { found, site: incident.site } : null;
    },
    draw: ({ found, site }) => Object.entries(found).map(([kind, all]) => all.length > 0 && row(kind, all, site)),
  });
}

function row(kind, all, site) {
  return h(
    "div",
    { class: "affected-kind" },
    h("span", { class: "muted", text: t(`affected.${kind}`, { n: all.length }) }),
    h(
      "ul",
      { class: "chips" },
      all.slice(0, AT_ONCE).map(([id, name]) => h("li", {}, one(kind, id, name, site))),
      all.length > AT_ONCE && h("li", { class: "muted", text: t("affected.more", { n: all.length - AT_ONCE }) }),
    ),
  );
}

function one(kind, id, name, site) {
  const words = name && name !== id ? `${name} (${id})` : id;
  return kind in LINKS ? away(LINKS[kind](site, id), icon(ICONS[kind]), words) : h("span", {}, icon(ICONS[kind]), words);
}

/** {agent, queue, call, transfer: [[id, name], …]}, each once, in the order in which flags told of them. */
export function affected(flags) {
  const found = { agent: new Map(), queue: new Map(), call: new Map(), transfer: new Map() };
  const add = (kind, id, name = "") => {
    if (id && typeof id === "string" && !found[kind].get(id)) found[kind].set(id, name);
  };
  for (const { labels, evidence, cleared_evidence: later } of flags) {
    const seen = { ...evidence, ...Object.fromEntries(Object.entries(later).filter(([, value]) => value !== null)) };
    add("agent", labels.agent, labels.agent_name);
    add("agent", seen.agent_id, seen.name);
    add("agent", seen.from_agent, seen.from_agent === labels.agent ? labels.agent_name : "");
    add("agent", seen.to_agent, labels.target);
    for (const queue of [labels.queue, seen.queue, seen.to_queue, seen.call?.queue]) add("queue", queue);
    for (const call of [labels.call, seen.call_id, seen.call?.call_id]) add("call", call, seen.from_number);
    add("transfer", labels.transfer ?? seen.transfer_id);
    add("transfer", seen.transfer_id);
  }
  return Object.fromEntries(Object.entries(found).map(([kind, all]) => [kind, [...all]]));
}
