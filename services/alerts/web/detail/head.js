// The head: how bad it is, where it stands, who has it, what comes next if nobody does anything.

import { fill, h, setText } from "/static/shared/dom.js";
import { age, dateTime, duration } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { onTick } from "/static/shared/ticker.js";
import { siteName, siteTitle } from "../sites.js";
import { lasting } from "../spans.js";
import { serverNow } from "../time.js";
import { MARKS, markBadge, personOf, ruleName, severityBadge, stateBadge, summaryOf } from "../words.js";
import { holder, names, reasonText } from "./entries.js";
import { badge, facts } from "./parts.js";

export function headPart() {
  const node = h("div", { class: "stack detail-head" });
  const moving = []; // [node, () => text], four times a second
  let shown = "";

  function show(detail) {
    const { incident } = detail;
    const wanted = JSON.stringify([incident, detail.time_zone, language()]);
    if (wanted === shown) return;
    shown = wanted;
    moving.length = 0;
    fill(node, badges(incident), h("p", { class: "summary", text: summaryOf(incident) }), held(incident, detail.time_zone), next(incident, detail.time_zone, moving), table(detail, moving));
    tick();
  }

  function tick() {
    for (const [where, text] of moving) setText(where, text());
  }

  return { node, show, stop: onTick(tick) };
}

function badges(incident) {
  return h(
    "div",
    { class: "row" },
    severityBadge(incident.severity),
    stateBadge(incident),
    incident.recheck_due && badge("warning", [icon("timer"), t("detail.recheck.due")]),
    incident.actions_open > 0 && badge("info", t("detail.actions_open", { n: incident.actions_open })),
    MARKS.filter((mark) => incident[mark]).map(markBadge),
  );
}

function held({ held: hold }, zone) {
  if (!hold) return null;
  const until = hold.until ? t("detail.held.until", { time: dateTime(hold.until, zone) }) : "";
  return h("div", { class: "notice held", data: { tone: "info" } }, icon("pause"), h("p", {}, t("detail.held"), " ", holder(`${hold.by} ${hold.number}`), until && ` · ${until}`));
}

/** Whom it is told to next if nobody does anything, counting down. */
function next({ next: step, state }, zone, moving) {
  if (!step) return null;
  const left = h("strong", { class: "countdown" });
  const due = new Date(step.at).getTime();
  moving.push([left, () => (due <= serverNow() ? t("next.now") : t("next.in", { duration: duration((due - serverNow()) / 1000 + 0.999) }))]);
  const receivers = names(step.receivers ?? []);
  const words = receivers ? t("next.to", { reason: reasonText(step.reason), who: receivers }) : reasonText(step.reason);
  return h("div", { class: "next-step", data: { urgent: state === "open" ? "yes" : "" } }, icon("timer"), left, h("span", { text: words }), h("span", { class: "muted", text: dateTime(step.at, zone) }));
}

function table({ incident, time_zone: zone }, moving) {
  const since = h("span", { class: "muted" });
  if (incident.state !== "resolved") {
    const from = new Date(incident.open_since ?? incident.opened_at).getTime();
    moving.push([since, () => t("detail.for", { age: age((serverNow() - from) / 1000) })]);
  }
  return facts([
    [t("detail.owner"), owner(incident, zone)],
    [t("detail.opened"), [dateTime(incident.opened_at, zone), " ", since, incident.openings > 1 && ` · ${t("detail.openings", { n: incident.openings })}`]],
    [t("detail.condition"), condition(incident, zone)],
    [t("detail.about"), about(incident)],
    [t("detail.rule"), ruleName(incident.rule)],
    [t("detail.site"), h("span", { title: siteTitle(incident.site), text: siteName(incident.site) })],
    [t("detail.flags"), incident.flags > 1 && String(incident.flags)],
    [t("detail.resolved"), incident.resolved_at && `${dateTime(incident.resolved_at, zone)} · ${resolver(incident)}`],
    [t("detail.cause"), incident.cause && (incident.cause === "quiet" ? t("detail.cause.quiet") : incident.cause)],
    [t("detail.recheck"), incident.recheck_on && h("span", {}, incident.recheck_on)],
  ]);
}

function about({ labels, subject, subject_id: id }) {
  const name = labels[`${subject}_name`] || [labels.agent_name, labels.target].filter(Boolean).join(" → ");
  return name && id && name !== id ? `${name} (${id})` : name || id;
}

function owner(incident, zone) {
  if (incident.owner) return [h("strong", { text: incident.owner }), " ", h("span", { class: "muted", text: incident.acknowledged_at ? t("detail.since", { time: dateTime(incident.acknowledged_at, zone) }) : "" })];
  return h("span", { class: incident.state === "open" ? "nobody" : "muted", text: t("detail.nobody") });
}

const resolver = (incident) => (personOf(incident) === "floorwatch" ? t("detail.by_itself") : personOf(incident));

/** The switch's clock: since when what was flagged holds, or how long it held. */
function condition({ condition: now, started, ended }, zone) {
  const since = dateTime(started, zone);
  if (now === "active") return t("detail.condition.active", { time: since });
  if (!ended) return t("detail.condition.unknown", { time: since });
  return t("detail.condition.ended", { time: since, duration: lasting(Math.max(0, (new Date(ended) - new Date(started)) / 1000)) });
}
