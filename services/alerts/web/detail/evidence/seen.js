// What the switch told of an agent, a call, a queue or a site, as rows that people read: [[word, text], …]. Zero is a figure here.

import { age, clock, dateTime, duration, NO_DATA, percent, seconds } from "/static/shared/format.js";
import { known, t } from "/static/shared/i18n.js";
import { linkReasonText, reasonText } from "/static/shared/reasons.js";
import { evidenceRows } from "../../words.js";

/** `at`: when it was seen, by the switch's clock, as ISO text. */
export function seenRows(seen, at, zone) {
  const rows = rowsOf(seen, at, zone);
  return rows ? rows.filter(([, text]) => text !== "" && text !== null && text !== undefined) : evidenceRows(seen, zone);
}

function rowsOf(seen, at, zone) {
  if ("waiting" in seen) return ofQueue(seen, at);
  if ("link" in seen) return ofSite(seen, zone);
  if ("agent_id" in seen && "state" in seen) return ofAgent(seen, at, zone);
  if ("call_id" in seen && "direction" in seen) return ofCall(seen, at, zone);
  return null;
}

const word = (name) => t(`seen.${name}`);
const value = (text) => (known(`state.${text}`) ? t(`state.${text}`) : known(`value.${text}`) ? t(`value.${text}`) : (text ?? ""));

/** Since when, and how long that was at the moment of the flag. */
function since(from, at, zone) {
  if (!from) return "";
  return t("seen.since", { time: clock(from, zone), duration: duration((Date.parse(at) - Date.parse(from)) / 1000) });
}

function ofQueue(seen, at) {
  const { agents = {}, recent, service_level: level } = seen;
  const states = ["ready", ...Object.keys(agents).filter((state) => state !== "ready" && agents[state])];
  const counts = (of) => t("seen.counts", { offered: of.offered ?? NO_DATA, answered: of.answered ?? NO_DATA, abandoned: of.abandoned ?? NO_DATA });
  return [
    [word("queue"), seen.label && seen.label !== seen.queue ? `${seen.label} (${seen.queue})` : seen.queue],
    [word("waiting"), String(seen.waiting)],
    [word("longest_wait"), seen.longest_since ? duration((Date.parse(at) - Date.parse(seen.longest_since)) / 1000) : seen.longest_wait_s !== undefined ? duration(seen.longest_wait_s) : ""],
    [word("agents"), "agents" in seen ? states.map((state) => `${value(state)} ${agents[state] ?? 0}`).join(" · ") : ""],
    [word("recent"), recent ? counts(recent) : ""],
    [word("service_level"), recent && level ? t("seen.level", { value: percent(recent.service_level), formula: level.formula, within: seconds(level.within_s), target: percent(level.target) }) : ""],
    [word("today"), "offered" in seen ? counts(seen) : ""],
    [word("asa"), "asa_s" in seen ? duration(seen.asa_s) : ""],
    [word("aht"), "aht_s" in seen ? duration(seen.aht_s) : ""],
    [word("occupancy"), "occupancy" in seen ? percent(seen.occupancy) : ""],
  ];
}

function ofSite(seen, zone) {
  return [
    [word("link"), t(`seen.link.${seen.link}`)],
    [word("link_since"), seen.link_since ? dateTime(seen.link_since, zone) : ""],
    [word("why"), seen.link_reason ? linkReasonText(seen.link_reason) : ""],
    [word("heard"), seen.heard ? dateTime(seen.heard, zone) : ""],
    [word("skew"), seen.skew_s ? seconds(Math.abs(seen.skew_s)) : ""],
  ];
}

function ofAgent(seen, at, zone) {
  const { call, today } = seen;
  return [
    [word("agent"), seen.name && seen.name !== seen.agent_id ? `${seen.name} (${seen.agent_id})` : seen.agent_id],
    [word("team"), seen.team],
    [word("queues"), (seen.queues ?? []).join(", ")],
    [word("state"), seen.reason ? `${value(seen.state)} (${reasonText(seen.reason)})` : value(seen.state)],
    [word("in_state"), since(seen.since, at, zone)],
    [word("call"), call ? [call.call_id, value(call.direction), call.queue, call.peer].filter(Boolean).join(" · ") : ""],
    [word("on_call"), call ? since(call.since, at, zone) : ""],
    [word("listeners"), seen.listened ? t(seen.unordered ? "seen.unordered" : "seen.listened") : ""],
    [word("handled"), today ? String(today.handled) : ""],
    [word("missed"), today?.missed_in_row ? String(today.missed_in_row) : ""],
    [word("occupancy"), today ? percent(today.occupancy) : ""],
    [word("how"), value(seen.provenance)],
    [word("last_seen"), seen.seen ? t("seen.before", { age: age((Date.parse(at) - Date.parse(seen.seen)) / 1000) }) : ""],
  ];
}

function ofCall(seen, at, zone) {
  return [
    [word("call"), seen.call_id],
    [word("caller"), seen.from_number],
    [word("direction"), value(seen.direction)],
    [word("queue"), seen.queue],
    [word("state"), value(seen.state)],
    [word("in_state"), since(seen.since, at, zone)],
    [word("waits"), since(seen.queued_since, at, zone)],
    [word("started"), since(seen.started, at, zone)],
    ...Object.entries(seen.attributes ?? {}),
    [word("how"), value(seen.provenance)],
  ];
}
