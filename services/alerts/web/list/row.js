// One line of the list: what operations needs at a glance. Its nodes are made once and used again for other incidents.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, clockMinutes, dateTime, duration } from "/static/shared/format.js";
import { known, language, t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { actorName, mayAct } from "../actor.js";
import { siteName, siteTitle } from "../sites.js";
import { lasting } from "../spans.js";
import { serverNow } from "../time.js";
import { MARKS, markBadge, personOf, ruleName, summaryOf } from "../words.js";

export const COLUMNS = ["select", "severity", "number", "what", "since", "state", "next", "action"];

const STATE_TONES = { open: "critical", acknowledged: "info", resolved: "ok" };
const SOON_S = 60; // so near an escalation it is worth a second look

/** `does`: {select(number, event), open(number), take(number)}. */
export function createRow(does) {
  const parts = {
    box: h("input", { type: "checkbox", tabindex: "-1", "data-part": "select" }),
    shape: icon("info"),
    severity: h("span"),
    number: h("span", { class: "row-number" }),
    summary: h("span", { class: "row-summary truncate" }),
    where: h("span", { class: "truncate" }),
    marks: h("span", { class: "row-marks" }),
    since: h("span", { class: "row-since" }),
    condition: h("span", { class: "truncate" }),
    state: h("span", { class: "badge" }),
    person: h("span", { class: "truncate" }),
    left: h("span", { class: "row-left" }),
    next: h("span", { class: "truncate" }),
    due: h("span", { class: "row-due truncate" }),
    take: h("button", { class: "button row-take", type: "button", tabindex: "-1" }),
  };
  const cell = (name, ...nodes) => h("div", { class: `cell cell-${name}`, role: "gridcell" }, nodes);
  const two = (first, second) => [h("div", { class: "line" }, first), h("div", { class: "line line-2" }, second)];
  const node = h(
    "div",
    { class: "incident", role: "row", tabindex: "-1" },
    cell("select", parts.box),
    cell("severity", h("span", { class: "row-severity" }, parts.shape, parts.severity)),
    cell("number", parts.number),
    cell("what", two(parts.summary, [parts.where, parts.marks])),
    cell("since", two(parts.since, parts.condition)),
    cell("state", two(parts.state, parts.person)),
    cell("next", two([parts.left, parts.next], parts.due)),
    cell("action", parts.take),
  );
  node.parts = parts;
  node.addEventListener("mousedown", (event) => (event.shiftKey || event.ctrlKey || event.metaKey) && event.preventDefault()); // selects rows, not text
  node.addEventListener("click", (event) => {
    const { id } = node.item.incident;
    if (parts.take.contains(event.target)) does.take(id);
    else if (event.target.closest(".cell-select") || event.shiftKey || event.ctrlKey || event.metaKey) does.select(id, event);
    else does.open(id);
  });
  return node;
}

/** Draw all of `item` {incident, selected, fresh}; `marked`: what every incident here is, which the top bar says once. */
export function drawRow(node, item, index, { marked, open }) {
  const { incident, selected, fresh } = item;
  const { parts } = node;
  setData(node, "id", incident.id);
  setData(node, "severity", incident.severity);
  setData(node, "incidentState", incident.state);
  setData(node, "held", incident.held ? "yes" : "");
  setData(node, "fresh", fresh ? "yes" : "");
  setData(node, "opened", open === incident.id ? "yes" : "");
  setAttr(node, "aria-selected", String(selected));
  setAttr(node, "aria-rowindex", index + 2); // the header is the first
  if (parts.box.checked !== selected) parts.box.checked = selected;
  const written = `${language()}|${marked}|${mayAct()}|${actorName()}`;
  if (node.drawn !== incident || node.written !== written) {
    node.drawn = incident;
    node.written = written;
    drawWords(parts, incident, marked);
  }
  tickRow(node);
}

function drawWords(parts, incident, marked) {
  setAttr(parts.box, "aria-label", t("row.select", { n: incident.id }));
  setIcon(parts.shape, incident.severity);
  setText(parts.severity, t(`severity.${incident.severity}`));
  setText(parts.number, `#${incident.id}`);
  setText(parts.summary, summaryOf(incident));
  setAttr(parts.summary, "title", summaryOf(incident));
  setText(parts.where, whereOf(incident).join(" · "));
  setAttr(parts.where, "title", [siteTitle(incident.site), ...whereOf(incident).slice(1)].join(" · "));
  fill(parts.marks, marksOf(incident, marked));
  setText(parts.condition, conditionOf(incident));
  setAttr(parts.condition, "title", incident.ended ? t("condition.ended.hint", { time: dateTime(incident.ended) }) : null);
  setData(parts.condition, "condition", incident.condition);
  setText(parts.state, t(`incident.${incident.state}`));
  setData(parts.state, "tone", STATE_TONES[incident.state]);
  setText(parts.person, personOf(incident) || (incident.state === "open" ? t("row.nobody") : ""));
  setData(parts.person, "nobody", incident.state === "open" && !incident.owner ? "yes" : "");
  setAttr(parts.since, "title", t("row.since", { time: dateTime(incident.opened_at) }));
  const due = dueOf(incident);
  setText(parts.due, due);
  setData(parts.due, "due", incident.recheck_due || incident.actions_overdue ? "yes" : "");
  const may = mayAct() && incident.allowed.includes("acknowledge");
  setHidden(parts.take, !may);
  setText(parts.take, t("act.acknowledge"));
  setAttr(parts.take, "title", may && actorName() ? t("act.acknowledge.as", { name: actorName() }) : null);
}

/** Site, rule, queue and agent; what the summary may have said, but not where one looks for it. */
export function whereOf({ site, rule, subject, subject_id: id, labels }) {
  const agent = labels.agent_name || (subject === "agent" ? id : labels.agent);
  const queue = labels.queue || (subject === "queue" ? id : "");
  return [siteName(site), ruleName(rule), queue && t("row.queue", { name: queue }), agent].filter(Boolean);
}

function marksOf(incident, marked) {
  const { held, openings, flags } = incident;
  return [
    held && h("span", { class: "mark", data: { tone: "info" } }, icon("muted"), heldText(held)),
    openings > 1 && h("span", { class: "mark", data: { tone: "warning" }, title: t("row.returned.hint", { n: openings - 1 }) }, icon("rewind"), t("row.returned", { n: openings - 1 })),
    flags > 1 && h("span", { class: "mark", text: t("incident.flags", { n: flags }) }),
    ...MARKS.filter((mark) => incident[mark] && !marked.includes(mark)).map(markBadge),
  ];
}

function heldText({ by, number, until }) {
  const what = t(`held.${by}`, { n: number });
  return until ? t("held.until", { what, time: clockMinutes(until) }) : what;
}

/** How long it held: by the switch's clock, whose times would not stand beside ours where the two differ. */
function conditionOf({ condition, started, ended }) {
  if (!ended) return t(`condition.${condition}`);
  const held = Math.max(0, (new Date(ended) - new Date(started)) / 1000);
  return t("condition.ended.after", { duration: lasting(held) });
}

function dueOf({ actions_open: open = 0, actions_overdue: overdue = 0, recheck_due: recheck, recheck_on: day }) {
  const found = [];
  if (recheck) found.push(t("due.recheck"));
  else if (day) found.push(t("due.recheck.on", { day }));
  if (overdue) found.push(t("due.actions.overdue", { n: open, m: overdue }));
  else if (open) found.push(t("due.actions", { n: open }));
  return found.join(" · ");
}

/** What moves by itself: how long it has been, and when somebody else is told. */
export function tickRow(node) {
  const { incident } = node.item;
  const { parts } = node;
  const now = serverNow();
  const end = incident.resolved_at ? new Date(incident.resolved_at).getTime() : now;
  setText(parts.since, duration((end - new Date(incident.opened_at).getTime()) / 1000));
  const next = nextOf(incident, now);
  setText(parts.left, next.left);
  setText(parts.next, next.text);
  setAttr(parts.next, "title", next.title);
  setData(parts.next.parentNode, "soon", next.soon ? "yes" : "");
  setData(parts.next.parentNode, "none", incident.next ? "" : "yes");
}

function nextOf({ next, state, held }, now) {
  if (state === "resolved") return { left: "", text: "" };
  if (!next) return { left: "", text: t(state === "open" ? "then.nobody" : "then.none") };
  const left = (new Date(next.at).getTime() - now) / 1000;
  const who = next.receivers.join(", ");
  const reason = known(`then.${next.reason}`) ? next.reason : "told";
  const text = t(`then.${reason}`, { who });
  const title = t("then.hint", { text, time: clock(next.at) });
  return { left: left > 0 ? duration(left) : t("then.now"), text, title, soon: reason === "escalated" && left < SOON_S && !held };
}
