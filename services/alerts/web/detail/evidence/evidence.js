// The evidence: what the switch told, flag by flag, with the board as it stood at that moment one click away.

import { h } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { known, t, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { may } from "/static/shared/me.js";
import { evidenceRows, exactTime, summaryOf } from "../../words.js";
import { lasting } from "../../spans.js";
import { copyButton } from "../copying.js";
import { boardThen } from "../links.js";
import { away, leftOut, part } from "../parts.js";
import { seenRows } from "./seen.js";
import strings from "./strings.js";
import { transferView } from "./transfer.js";

useStrings(strings);

const AT_ONCE = 3;
const SHOWN_WITH_TRANSFER =
  /^(requested|ringing|answered|bridged|released|ended|seek|ring|brief|customer_gap|total)(_at|_s)?$|^(kind|outcome|slow|from_agent|to_agent|to_queue)$/;

export function evidencePart() {
  let all = false;
  const made = part("evidence", {
    title: "detail.evidence",
    pick: ({ flags, totals, incident, time_zone: zone }) => (flags.length ? { flags, total: totals.flags, site: incident.site, zone } : null),
    count: ({ total }) => (total > 1 ? total : ""),
    draw(picked, detail) {
      const newest = [...picked.flags].reverse();
      const shown = all ? newest : newest.slice(0, AT_ONCE);
      return [
        shown.map((flag) => flagView(flag, picked)),
        shown.length < newest.length &&
          h("button", {
            class: "button",
            type: "button",
            text: t("evidence.more", { n: newest.length - shown.length }),
            on: {
              click() {
                all = true;
                made.again();
                made.show(detail);
              },
            },
          }),
        leftOut(picked.flags.length, picked.total),
      ];
    },
  });
  return made;
}

function flagView(flag, { flags, site, zone }) {
  return h(
    "div",
    { class: "flag stack" },
    flags.length > 1 && h("h4", { text: summaryOf(flag) }),
    h(
      "div",
      { class: "row spread flag-when" },
      h("span", { class: "switch-time", title: t("entry.switch.hint", { time: dateTime(flag.raised, zone) }), text: when(flag, zone) }),
      may("history.read") &&
        h("span", { title: t("evidence.board.hint") }, away(boardThen(site, flag.raised, whose(flag)), icon("rewind"), " ", t("evidence.board"))),
    ),
    flag.transfer && transferView(flag.transfer, zone, partiesOf(flag)),
    flag.transfer ? transferTable(flag, zone) : table(flag, zone),
    legsTable(flag, zone),
    flag.trace && traceLine(flag.trace),
  );
}

/** The id by which the logs of all services tell of this flag; one without, such as a silent site, goes back to no record. */
function traceLine(trace) {
  return h(
    "div",
    { class: "row trace muted small" },
    h("span", { title: t("evidence.trace.hint"), text: t("evidence.trace") }),
    h("code", { text: trace }),
    copyButton("evidence.trace.copy", "evidence.trace.hint", () => trace, "button quiet"),
  );
}

/** When it was raised and how long it held; by the switch's clock alone. */
function when(flag, zone) {
  const raised = t("evidence.raised", { time: dateTime(flag.raised, zone) });
  return flag.duration_s === null ? raised : `${raised} · ${t("evidence.held", { duration: lasting(flag.duration_s) })}`;
}

function whose({ labels }) {
  if (labels.agent) return { agent: labels.agent };
  return labels.queue ? { queue: labels.queue } : {};
}

/** The names of a transfer's parties by their ids, as the flag told them. */
function partiesOf({ labels, evidence: { from_agent: from, to_agent: agent, to_queue: queue, to_number: number } }) {
  return { [from]: labels.agent_name, [agent || queue || number]: labels.target };
}

/** What a transfer's drawing leaves out. */
function transferTable(flag, zone) {
  const seen = { ...flag.evidence };
  for (const [key, value] of Object.entries(flag.cleared_evidence)) if (value !== null) seen[key] = value;
  const rows = evidenceRows(Object.fromEntries(Object.entries(seen).filter(([key]) => !SHOWN_WITH_TRANSFER.test(key))), zone);
  return rows.length > 0 && h("table", { class: "evidence" }, h("tbody", {}, rows.map(([name, text]) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", { text })))));
}

/** As it was when it was flagged, and beside it, where that differs, at the end. */
function table(flag, zone) {
  const then = seenRows(flag.evidence, flag.raised, zone);
  const end = new Map(Object.keys(flag.cleared_evidence).length ? seenRows(flag.cleared_evidence, flag.cleared, zone) : []);
  const two = then.some(([name, text]) => end.has(name) && end.get(name) !== text);
  return (
    then.length > 0 &&
    h(
      "table",
      { class: "evidence" },
      two && h("thead", {}, h("tr", {}, ["", "evidence.then", "evidence.end"].map((key) => h(key ? "th" : "td", { scope: key ? "col" : null, text: key && t(key) })))),
      h("tbody", {}, then.map(([name, text]) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", { text }), two && h("td", { text: end.get(name) ?? "" })))),
    )
  );
}

/** Who was part of the call, in which role. */
function legsTable({ evidence }, zone) {
  if (!Array.isArray(evidence.legs) || !evidence.legs.length) return null;
  const words = (name) => (known(`role.${name}`) ? t(`role.${name}`) : known(`value.${name}`) ? t(`value.${name}`) : (name ?? ""));
  return h(
    "table",
    { class: "evidence legs-table" },
    h("thead", {}, h("tr", {}, ["role", "agent", "state", "since"].map((name) => h("th", { scope: "col", text: t(`legs.${name}`) })))),
    h("tbody", {}, evidence.legs.map((leg) => h("tr", {}, h("td", { text: words(leg.role) }), h("td", { text: leg.agent_id || "–" }), h("td", { text: words(leg.state) }), h("td", { class: "nowrap", text: leg.since ? exactTime(leg.since, zone) : "–" })))),
  );
}
