// The history: who did what and what happened by itself. The time at the right is the service's clock; where the switch has a time of
// its own it stands below what it is about, and says so.

import { fill, h } from "/static/shared/dom.js";
import { clock, dateTime, dayShort } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { recall, remember } from "/static/shared/storage.js";
import { details, happened, ofPerson, weightOf } from "./entries.js";
import { choice, leftOut, part } from "./parts.js";

const AT_ONCE = 40;

export function timelinePart() {
  const chosen = { who: recall("timeline.who", "all"), order: recall("timeline.order", "newest"), all: false };
  let last = null;
  const body = h("div", { class: "stack" });

  function choose(name, value) {
    chosen[name] = value;
    if (name !== "all") remember(`timeline.${name}`, value);
    show();
  }

  function show() {
    const { timeline, total, zone } = last;
    const fitting = timeline.filter((one) => chosen.who === "all" || ofPerson(one) === (chosen.who === "people"));
    const ordered = chosen.order === "newest" ? [...fitting].reverse() : fitting;
    const shown = chosen.all ? ordered : ordered.slice(0, AT_ONCE);
    fill(
      body,
      h(
        "div",
        { class: "row spread" },
        choice(t("timeline.who"), ["all", "people", "system"].map((who) => [who, t(`timeline.who.${who}`)]), chosen.who, (who) => choose("who", who)),
        choice(t("timeline.order"), ["newest", "oldest"].map((order) => [order, t(`timeline.order.${order}`)]), chosen.order, (order) => choose("order", order)),
      ),
      shown.length ? list(shown, zone) : h("p", { class: "muted", text: t("timeline.none") }),
      shown.length < ordered.length &&
        h("button", { class: "button", type: "button", text: t("timeline.more", { n: ordered.length - shown.length }), on: { click: () => choose("all", true) } }),
      leftOut(timeline.length, total),
      h("p", { class: "muted small", text: t("detail.zone", { zone }) }),
    );
  }

  return part("timeline", {
    title: "detail.timeline",
    pick: ({ timeline, totals, time_zone: zone }) => ({ timeline, total: totals.timeline, zone }),
    count: ({ total }) => total,
    draw(picked) {
      last = picked;
      show();
      return body;
    },
  });
}

function list(entries, zone) {
  const nodes = [];
  let day = "";
  for (const entry of entries) {
    const its = dayShort(entry.at, zone);
    if (its !== day) nodes.push(h("li", { class: "day", text: its }));
    day = its;
    nodes.push(line(entry, zone));
  }
  return h("ol", { class: "timeline" }, nodes);
}

function line(entry, zone) {
  const person = ofPerson(entry);
  return h(
    "li",
    { data: { kind: entry.kind, weight: weightOf(entry), by: person ? "person" : "system" } },
    h("time", { class: "at", datetime: entry.at, title: dateTime(entry.at, zone), text: clock(entry.at, zone) }),
    h(
      "div",
      { class: "what" },
      h("div", {}, h("strong", { text: happened(entry) }), person && h("span", { class: "by" }, icon("person"), entry.by)),
      details(entry, zone).map((one) => h("div", { class: "more" }, one)),
    ),
  );
}
