// Small things that list and detail say in the same way.

import { h } from "/static/shared/dom.js";
import { dateTime, instant } from "/static/shared/format.js";
import { known, language, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { reasonText, sayReason } from "/static/shared/reasons.js";
import { exact } from "./spans.js";

const STATE_TONES = { open: "critical", acknowledged: "info", resolved: "ok" };

/** What an incident may be instead of real and now. */
export const MARKS = ["simulated", "replay"];

export function markBadge(mark) {
  return h("span", { class: "badge", data: { tone: "simulated" }, text: t(`mark.${mark}`) });
}

/** The summary in the reader's language; English where nobody wrote another. */
export function summaryOf(one) {
  return sayReason(textOf(one.summary), one.labels.reason);
}

/** What the service says in both languages, in the reader's. */
export function textOf({ en, zh }) {
  return (language() === "zh-CN" && zh) || en;
}

export function severityBadge(severity) {
  return h("span", { class: "badge", data: { tone: severity } }, icon(severity), t(`severity.${severity}`));
}

export function stateBadge(incident) {
  return h("span", { class: "badge", data: { tone: STATE_TONES[incident.state] } }, t(`incident.${incident.state}`));
}

/** The rule's name in words, where it is one of ours. */
export function ruleName(rule) {
  return known(`rule.${rule}`) ? t(`rule.${rule}`) : rule;
}

/** Whoever the state is about. */
export function personOf(incident) {
  return incident.state === "resolved" ? incident.resolver : incident.owner;
}

/** 09:05:07.250 in `zone`: for what is judged in tenths of a second. */
export function exactTime(value, zone) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };
  return new Intl.DateTimeFormat(language(), { ...options, timeZone: zone }).format(instant(value));
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** Evidence as [name, text] rows, nested values with their path; absent values are left out. */
export function evidenceRows(evidence, zone, path = "") {
  const rows = [];
  for (const [name, value] of Object.entries(evidence)) {
    const key = path + name;
    if (value === null || value === "" || value === false || value === 0 || key === "site" || (Array.isArray(value) && !value.length)) continue;
    if (Array.isArray(value)) {
      if (typeof value[0] === "object") value.forEach((one, i) => rows.push(...evidenceRows(one, zone, `${key} ${i + 1}.`)));
      else rows.push([label(key), value.join(", ")]);
    } else if (typeof value === "object") rows.push(...evidenceRows(value, zone, `${key}.`));
    else if (name === "reason") rows.push([label(key), reasonText(String(value))]);
    else if (name.endsWith("_s") && typeof value === "number") rows.push([label(key), exact(value)]);
    else rows.push([label(key), ISO_TIME.test(value) ? dateTime(value, zone) : said(value)]);
  }
  return rows;
}

function said(value) {
  for (const kind of ["state", "value"]) if (known(`${kind}.${value}`)) return t(`${kind}.${value}`);
  return String(value);
}

function label(key) {
  const refusal = key.startsWith("reasons.") && key.replace("reasons.", "refusal.");
  if (refusal && known(refusal)) return t(refusal);
  if (key.startsWith("channels.")) return key.slice("channels.".length); // by its own name
  return known(`evidence.${key}`) ? t(`evidence.${key}`) : key.replaceAll("_", " ");
}
