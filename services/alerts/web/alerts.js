// The incidents page: what is open, by severity and age; it keeps itself up to date.

import { fill, h, keyed, setHidden, setText } from "/static/shared/dom.js";
import { age, clock, dateTime, duration, seconds } from "/static/shared/format.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { recall, remember } from "/static/shared/storage.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { actorKnown, actorName, mayAct } from "./actor.js";
import { act, listIncidents } from "./api.js";
import { openDetail } from "./detail.js";
import { stream } from "./stream.js";
import strings from "./strings.js";
import { serverNow, setServerNow } from "./time.js";
import { MARKS, markBadge, personOf, ruleName, severityBadge, stateBadge, summaryOf } from "./words.js";

const VIEWS = { unresolved: ["open", "acknowledged"], resolved: ["resolved"], all: ["open", "acknowledged", "resolved"] };
const SEVERITIES = ["critical", "warning", "info"];
const STEP = 200;
const REFETCH_MS = 150; // changes that come together are one question

useStrings(strings);
translateTree(document);
const bar = topbar(document.getElementById("topbar"), { page: "alerts" });
const rows = document.getElementById("rows");
const table = document.querySelector(".incidents");
const empty = document.getElementById("empty");
const notices = document.getElementById("notices");
const more = document.getElementById("more");

const filter = { view: "unresolved", severity: "", text: "", limit: STEP };
let status = null;
let page = null;
let failure = "";
let drawer = null;
let asked = 0;
let pending = null;
let connection = { state: "connecting" };

// ---------------------------------------------------------------- asking

async function refetch() {
  clearTimeout(pending);
  pending = null;
  const mine = ++asked;
  try {
    const found = await listIncidents({ ...filter, states: VIEWS[filter.view] });
    if (mine !== asked) return;
    page = found;
    failure = "";
  } catch (error) {
    if (mine !== asked) return;
    failure = error.message;
  }
  show();
}

function soon() {
  pending ??= setTimeout(refetch, REFETCH_MS);
}

stream("/api/v1/stream", {
  onState(found) {
    connection = found;
    show();
  },
  events: {
    status(found) {
      status = found;
      setServerNow(found.now);
      soon();
      drawer?.refresh();
      show();
    },
    incident(found) {
      const known = page?.incidents.findIndex((one) => one.id === found.id) ?? -1;
      if (known >= 0 && page.incidents[known].version <= found.version) page.incidents[known] = found;
      if (drawer?.number === found.id) drawer.refresh();
      show();
      soon();
    },
    resync: soon,
  },
});

// ---------------------------------------------------------------- showing

function ordered(incidents) {
  if (filter.view !== "unresolved") return incidents;
  const rank = (one) => SEVERITIES.indexOf(one.severity) * 2 + (one.state === "open" ? 0 : 1);
  return [...incidents].sort((a, b) => rank(a) - rank(b) || a.id - b.id);
}

function show() {
  const incidents = page ? ordered(page.incidents.filter((one) => VIEWS[filter.view].includes(one.state))) : [];
  keyed(rows, incidents, (one) => one.id, createRow, updateRow);
  setHidden(more, !page?.next_cursor);
  showEmpty(incidents.length);
  showNotices();
  showFilters();
  showConnection();
  bar.setMarks(MARKS.filter((mark) => incidents.some((one) => one[mark])));
}

function createRow(incident) {
  const open = () => showDetail(incident.id);
  return h("tr", {
    class: "clickable",
    tabindex: "0",
    data: { id: incident.id },
    on: {
      click: open,
      keydown(event) {
        if (event.target === event.currentTarget && ["Enter", " "].includes(event.key)) {
          event.preventDefault();
          open();
        }
      },
    },
  });
}

function updateRow(row, incident) {
  const shown = JSON.stringify([incident, document.documentElement.lang, MARKS.map(allAre), mayAct(), actorName()]);
  if (row.shown === shown) return;
  row.shown = shown;
  row.dataset.severity = incident.severity;
  row.dataset.incidentState = incident.state;
  fill(
    row,
    h("td", {}, severityBadge(incident.severity)),
    h("td", { class: "muted", text: `#${incident.id}` }),
    h("td", { class: "what" }, h("div", { text: summaryOf(incident) }), h("div", { class: "muted small row" }, marks(incident))),
    h("td", { class: "nowrap" }, stateBadge(incident), h("div", { class: "small", text: personOf(incident) })),
    h("td", { class: "nowrap small", text: conditionOf(incident), title: incident.ended && t("condition.ended.hint", { time: dateTime(incident.ended) }) }),
    h("td", { class: "num nowrap" }, h("span", { class: "age" }), h("div", { class: "muted small", text: clock(incident.opened_at), title: dateTime(incident.opened_at) })),
    h("td", { class: "num" }, takeButton(incident)),
  );
  tick(row, incident);
}

function marks(incident) {
  return [
    h("span", { text: incident.site }),
    h("span", { text: ruleName(incident.rule) }),
    incident.flags > 1 && h("span", { text: t("incident.flags", { n: incident.flags }) }),
    incident.openings > 1 && h("span", { text: t("incident.returned") }),
    ...MARKS.filter((mark) => incident[mark] && !allAre(mark)).map(markBadge),
  ];
}

/** The top bar says it once for all of them. */
function allAre(mark) {
  return page.incidents.every((one) => one[mark]);
}

/** How long it held: by the switch's clock, whose times would not stand beside ours where the two differ. */
function conditionOf({ condition, started, ended }) {
  if (!ended) return t(`condition.${condition}`);
  const held = Math.max(0, (new Date(ended) - new Date(started)) / 1000);
  return t("condition.ended.after", { duration: held < 60 ? seconds(held) : duration(held) });
}

function takeButton(incident) {
  if (!mayAct() || !incident.allowed.includes("acknowledge")) return null;
  return h("button", {
    class: "button",
    type: "button",
    text: t("act.acknowledge"),
    title: actorName() ? t("act.acknowledge.as", { name: actorName() }) : null,
    on: {
      click(event) {
        event.stopPropagation();
        take(incident.id);
      },
    },
  });
}

/** One click for somebody whose name is known; the others say it once. */
async function take(number) {
  const by = actorName();
  if (!by) {
    showDetail(number);
    drawer.askName();
    return;
  }
  try {
    await act(number, "acknowledge", { by });
  } catch (error) {
    failure = error.message;
    showNotices();
  }
  soon();
}

function tick(row, incident) {
  const end = incident.resolved_at ? new Date(incident.resolved_at).getTime() : serverNow();
  setText(row.querySelector(".age"), age((end - new Date(incident.opened_at).getTime()) / 1000));
}

onTick(() => {
  for (const incident of page?.incidents ?? []) {
    const row = rows.keyedNodes?.get(incident.id);
    if (row) tick(row, incident);
  }
});

/** Live means that flags reach this page: the service that waits for Kafka is not. */
function showConnection() {
  const state = connection.state === "live" && status && status.state !== "live" ? status.state : connection.state;
  bar.setConnection({ ...connection, state });
}

function showEmpty(count) {
  setHidden(empty, count > 0);
  setHidden(table, count === 0);
  if (count) return;
  const unfiltered = filter.view === "unresolved" && !filter.severity && !filter.text;
  if (connection.state === "lost") fill(empty, icon("stale"), h("p", { text: t("away.empty") }));
  else if (!page || !status) fill(empty, h("p", { text: t("empty.loading") }));
  else if (status.state !== "live") fill(empty, icon("stale"), h("strong", { text: lostTitle() }), h("p", { text: status.reason }));
  else if (!unfiltered) fill(empty, h("p", { text: t("empty.filter") }));
  else fill(empty, icon("ok"), h("strong", { text: t("empty.none") }), h("p", { text: t("empty.none.hint") }));
}

function lostTitle() {
  return t(status.state === "lost" ? "nodata.title" : "nodata.title.never", { time: dateTime(status.since) });
}

function showNotices() {
  const found = [];
  if (connection.state === "lost") found.push(["critical", t("away.title", { time: clock(connection.since) }), t("away.hint")]);
  else if (failure) found.push(["critical", t("failed.title"), failure]);
  if (status && status.state !== "live" && page?.incidents.length) {
    found.push(["critical", lostTitle(), `${status.reason}. ${t("nodata.hint")}`]);
  }
  if (status && !status.channels.length) found.push(["info", t("nochannel.title"), t("nochannel.hint")]);
  const shown = JSON.stringify(found);
  if (notices.shown === shown) return;
  notices.shown = shown;
  fill(
    notices,
    found.map(([tone, title, text]) =>
      h("div", { class: "notice", data: { tone } }, icon(tone), h("div", {}, h("strong", { text: title }), h("p", { text }))),
    ),
  );
}

// ---------------------------------------------------------------- filters

const views = h(
  "div",
  { class: "segments", role: "group" },
  Object.keys(VIEWS).map((view) => h("button", { type: "button", data: { view }, on: { click: () => choose({ view }) } })),
);
const severities = h("select", { class: "select", on: { change: () => choose({ severity: severities.value }) } });
const search = h("input", { class: "input search", type: "search", maxlength: 200 });
search.addEventListener("input", () => {
  filter.text = search.value.trim();
  filter.limit = STEP;
  soon();
});
fill(document.getElementById("filters"), views, severities, search);
more.addEventListener("click", () => choose({ limit: Math.min(500, filter.limit + STEP) }));

function choose(wanted) {
  Object.assign(filter, { limit: STEP }, wanted);
  remember("alerts.view", filter.view);
  refetch();
  showFilters();
}

function showFilters() {
  const counts = page?.counts;
  for (const button of views.children) {
    const view = button.dataset.view;
    const sum = counts ? ` ${VIEWS[view].reduce((all, state) => all + counts[state], 0)}` : "";
    setText(button, t(`view.${view}`) + sum);
    button.setAttribute("aria-pressed", String(view === filter.view));
  }
}

function nameFilters() {
  views.setAttribute("aria-label", t("view.label"));
  severities.setAttribute("aria-label", t("filter.severity"));
  fill(
    severities,
    h("option", { value: "", text: t("filter.severity.any") }),
    SEVERITIES.map((name) => h("option", { value: name, text: t(`severity.${name}`) })),
  );
  severities.value = filter.severity;
  search.placeholder = t("filter.search");
  search.setAttribute("aria-label", t("filter.search"));
}

// ---------------------------------------------------------------- one incident

function showDetail(number) {
  if (drawer?.number === number) return;
  drawer?.close();
  history.replaceState(null, "", `#incident=${number}`);
  const mine = openDetail(number, {
    onClose() {
      if (drawer !== mine) return;
      drawer = null;
      history.replaceState(null, "", location.pathname + location.search);
      rows.querySelector(`[data-id="${number}"]`)?.focus();
    },
  });
  drawer = mine;
}

function followAddress() {
  const found = /^#incident=(\d+)$/.exec(location.hash);
  if (found) showDetail(Number(found[1]));
}

onLanguage(() => {
  nameFilters();
  show();
  if (drawer) {
    const { number } = drawer;
    drawer.close();
    drawer = null;
    showDetail(number);
  }
});
window.addEventListener("hashchange", followAddress);
if (recall("alerts.view") in VIEWS) filter.view = recall("alerts.view");
nameFilters();
show();
actorKnown.then(show);
refetch();
followAddress();
