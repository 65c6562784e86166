// What belongs to it: the same thing before, what else happened at the site about then, what hides it and what it hides.

import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { severityBadge, stateBadge, summaryOf } from "../words.js";
import { listIncidents } from "./asking.js";
import { incidentLink } from "./links.js";

const HOUR_MS = 3_600_000;
const OF_EACH = 5;
const FRESH_MS = 30_000; // a change of the incident asks anew, at most this often

export function relatedPart() {
  const count = h("span", { class: "part-count" });
  const body = h("div", { class: "stack part-body" }, h("p", { class: "muted", text: t("detail.loading") }));
  const node = h("section", { class: "part part-related", "aria-label": t("detail.related") }, h("h3", { tabindex: "-1" }, h("span", { text: t("detail.related") }), count), body);
  let asked = -Infinity;
  let hold = "";

  async function show({ incident, time_zone: zone }) {
    const held = JSON.stringify(incident.held ?? null);
    if (held === hold && performance.now() - asked < FRESH_MS) return;
    asked = performance.now();
    hold = held;
    try {
      draw(await find(incident), zone);
    } catch {
      fill(body, h("p", { class: "muted", text: t("related.away") }));
    }
  }

  function draw(found, zone) {
    const sum = Object.values(found).reduce((all, some) => all + some.length, 0);
    setText(count, sum || "");
    fill(
      body,
      !sum && h("p", { class: "muted", text: t("related.none") }),
      Object.entries(found).map(([kind, some]) => some.length > 0 && group(kind, some, zone)),
    );
    setHidden(node, false);
  }

  return { name: "related", title: "detail.related", node, show };
}

/** {hidden_by, hides, before, about_then: incidents}. */
async function find(incident) {
  const { id, site, rule } = incident;
  const opened = new Date(incident.opened_at).getTime();
  const span = { from: new Date(opened - HOUR_MS).toISOString(), to: new Date(opened + HOUR_MS).toISOString() };
  const hider = incident.held?.by === "incident" ? incident.held.number : null;
  const [same, then, held, by] = await Promise.all([
    listIncidents({ site, rule, limit: 50 }),
    listIncidents({ site, ...span, limit: 50 }),
    listIncidents({ site, held: "yes", limit: 200 }),
    hider === null ? { incidents: [] } : listIncidents({ q: `#${hider}`, limit: 5 }),
  ]);
  const before = same.incidents.filter((one) => one.id < id && one.subject === incident.subject && one.subject_id === incident.subject_id);
  const hides = held.incidents.filter((one) => one.held?.by === "incident" && one.held.number === id);
  const known = new Set([id, hider, ...before.map((one) => one.id), ...hides.map((one) => one.id)]);
  const within = (one) => Math.abs(new Date(one.opened_at).getTime() - opened) <= HOUR_MS; // a service that knows no span lists all
  return {
    hidden_by: by.incidents.filter((one) => one.id === hider),
    hides,
    before,
    about_then: then.incidents.filter((one) => !known.has(one.id) && within(one)),
  };
}

function group(kind, some, zone) {
  return h(
    "div",
    { class: "related-kind" },
    h("h4", { text: t(`related.${kind}`, { n: some.length }) }),
    h(
      "ul",
      { class: "related" },
      some.slice(0, OF_EACH).map((one) =>
        h(
          "li",
          {},
          h("a", { href: incidentLink(one.id), class: "row" }, h("span", { class: "muted", text: `#${one.id}` }), severityBadge(one.severity), stateBadge(one), h("span", { class: "truncate", text: summaryOf(one) }), h("time", { class: "muted small at", datetime: one.opened_at, text: dateTime(one.opened_at, zone) })),
        ),
      ),
      some.length > OF_EACH && h("li", { class: "muted small", text: t("affected.more", { n: some.length - OF_EACH }) }),
    ),
  );
}
