// One line of an incident's history in words: what happened, through whom, and what goes with it.

import { h } from "/static/shared/dom.js";
import { clock, dateTime, dayShort } from "/static/shared/format.js";
import { known, t } from "/static/shared/i18n.js";
import { lasting } from "../spans.js";
import { incidentLink } from "./links.js";
import { link } from "./parts.js";

const SYSTEM = "floorwatch";
const LISTED = 6; // names of receivers before "and 3 more"

export const ofPerson = (entry) => entry.by !== SYSTEM;

/** How much a line weighs to the eye: what people did, what got worse, what got better, or what the system went on with. */
export function weightOf({ kind }) {
  if (["opened", "reopened", "raised"].includes(kind)) return "bad";
  if (kind.startsWith("resolved") || kind === "action_done" || kind === "rechecked") return "good";
  if (["acknowledged", "assigned"].includes(kind)) return "taken";
  return "plain";
}

/** What happened, as a sentence. */
export function happened(entry) {
  const { kind, data } = entry;
  const values = {
    duration: lasting(data.duration_s),
    to: data.to ?? "",
    from: data.from ?? "",
    who: names(data.receivers ?? []),
    why: data.reason ? reasonText(data.reason) : "",
  };
  if (kind === "assigned") return t(data.from ? "entry.assigned.from" : "entry.assigned", values);
  if (kind === "raised") return t("entry.raised", { from: severity(data.from), to: severity(data.to) });
  if (kind === "told") return t(values.who ? "entry.told" : "entry.told.nobody", values);
  return known(`entry.${kind}`) ? t(`entry.${kind}`, values) : kind.replaceAll("_", " ");
}

/** What goes with it: nodes, each a line of its own. */
export function details(entry, zone) {
  const { kind, data } = entry;
  const found = [];
  if (kind === "raised") found.push(data.after_s ? t("entry.raised.age", { duration: lasting(data.after_s) }) : t("entry.raised.flags", { n: data.flags }));
  if (kind === "held" || kind === "released") found.push(holder(data.by));
  if (kind === "told" && data.route) found.push(t("entry.route", { route: data.route }));
  if (data.cause) found.push(`${t("detail.cause")}: ${data.cause}`);
  if (data.recheck_on) found.push(`${t("detail.recheck")}: ${data.recheck_on}`);
  if (kind === "reopened" && data.ok === false) found.push(t("entry.reopened.recheck"));
  if (kind.startsWith("action_")) found.push(...ofAction(data));
  if (entry.note) found.push(h("p", { class: "said", text: entry.note }));
  if (entry.switch_time) {
    const whole = dateTime(entry.switch_time, zone);
    const near = dayShort(entry.switch_time, zone) === dayShort(entry.at, zone);
    found.unshift(h("span", { class: "switch-time", title: t("entry.switch.hint", { time: whole }) }, t("entry.switch", { time: near ? clock(entry.switch_time, zone) : whole })));
  }
  return found;
}

/** Why people are told, in words. */
export function reasonText(reason) {
  return known(`told.${reason}`) ? t(`told.${reason}`) : String(reason).replaceAll("_", " ");
}

/** "silence 3", "maintenance 4" or "incident 17" as what it is, with a link to it. */
export function holder(by) {
  const [kind, number] = String(by ?? "").split(" ");
  if (!number || !known(`holder.${kind}`)) return String(by ?? "");
  const words = t(`holder.${kind}`, { n: number });
  return kind === "incident" ? link(incidentLink(number), words) : link(`/silences#silence=${number}`, words);
}

/** An action's owner and day; its words are the entry's note. */
function ofAction({ owner, due_on: due }) {
  const rows = [owner && t("action.of", { owner }), due && t("action.due", { date: due })].filter(Boolean);
  return rows.length ? [h("span", { class: "muted", text: rows.join(" · ") })] : [];
}

export function names(all) {
  if (all.length <= LISTED) return all.join(t("list.comma"));
  return t("list.and_more", { names: all.slice(0, LISTED).join(t("list.comma")), n: all.length - LISTED });
}

function severity(name) {
  return known(`severity.${name}`) ? t(`severity.${name}`) : String(name ?? "");
}
