// The incidents page: what is open, by severity and age; it keeps itself up to date.

import { markBlockedSound } from "/static/shared/alarms/blocked.js";
import { api } from "/static/shared/api.js";
import { setHidden, setText } from "/static/shared/dom.js";
import { oncePerFrame } from "/static/shared/drawing.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { actorKnown, actorName } from "./actor.js";
import { DETAIL_KEYS, openDetail } from "./detail/detail.js";
import { Bulk } from "./list/bulk.js";
import { callBox } from "./list/callbox.js";
import { Caller } from "./list/call.js";
import { Empty } from "./list/empty.js";
import { Filters } from "./list/filters.js";
import { Health } from "./list/health.js";
import { help } from "./list/help.js";
import { listenToKeys } from "./list/keys.js";
import { IncidentList } from "./list/list.js";
import { grouped, narrow, ordered } from "./list/narrow.js";
import { drawNotices, noticesFor } from "./list/notices.js";
import { Source } from "./list/source.js";
import listStrings from "./list/strings.js";
import { View } from "./list/view.js";
import { subnav } from "./nav.js";
import strings from "./strings.js";
import { MARKS, summaryOf } from "./words.js";

const SETTLE_MS = 250; // how often lines may change their place

useStrings(strings);
useStrings(listStrings);
translateTree(document);
const at = (id) => document.getElementById(id);
const bar = topbar(at("topbar"), { page: "alerts" });
const sub = subnav(at("subnav"), { page: "incidents" });
const helpBox = help(DETAIL_KEYS);
bar.tools.append(...callBox(), ...helpBox.nodes);
markBlockedSound(bar.tools);

let drawer = null;
let trouble = ""; // why something that was done here did not work
let settledAt = -Infinity;
let later = null;
let pressed = false;
let moved = true; // lines may have to stand elsewhere
const changed = new Map(); // what the feed told since the last picture
const fresh = new Set();

const view = new View(() => {
  source.follow(asked());
  settle();
});
const filters = new Filters(at("filters"), view);
const caller = new Caller({ onOpen: showDetail, onCall: speak });
const source = new Source({ onChange: drawSoon, onNews: news });
const list = new IncidentList(at("list"), { open: showDetail, take, more: () => source.more(), selected: () => bulk.draw() });
const bulk = new Bulk(at("bulk"), { list, source, open: showDetail });
const empty = new Empty(at("empty"), { onOpen: showDetail });
const health = new Health(sub.end, { onChange: drawSoon });

/** What is asked of the service: the view, and who "mine" is. */
function asked() {
  return { ...view, me: actorName() };
}

function news(incident, before) {
  changed.set(incident.id, incident);
  moved = true;
  if (source.store.whole) {
    caller.hear(incident, before);
    if (before === null && incident.state === "open") fresh.add(incident.id);
  }
  if (incident.id === drawer?.number) drawer.refresh();
  empty.forget();
}

/** Say a critical one to whoever does not see the screen. */
function speak(incidents) {
  if (!incidents.length) return;
  const [first] = incidents;
  setText(at("spoken"), incidents.length === 1 ? t("call.spoken", { n: first.id, what: summaryOf(first) }) : t("call.many", { n: incidents.length }));
}

// ---------------------------------------------------------------- drawing

const draw = oncePerFrame(() => {
  if (changed.size) list.replace(changed.values());
  changed.clear();
  showAround();
  if (!moved) return;
  const wait = settledAt + SETTLE_MS - performance.now();
  if (wait <= 0 && !pressed) settle();
  else later ??= setTimeout(settleLater, Math.max(wait, SETTLE_MS / 2));
});

/** Anything may be otherwise. */
function drawSoon() {
  moved = true;
  draw();
}

function settleLater() {
  later = null;
  if (moved) draw();
}

/** Put every line where it belongs. */
function settle() {
  settledAt = performance.now();
  moved = false;
  if (view.view === "unresolved") source.store.letGo("resolved");
  const { rows, counts } = narrow(source.store.all.values(), view, actorName());
  const marked = MARKS.filter((mark) => rows.length > 0 && rows.every((one) => one[mark]));
  setHidden(at("list"), rows.length === 0);
  setHidden(at("empty"), rows.length > 0);
  list.show(grouped(ordered(rows, view.view), view.view === "unresolved" ? view.group : "none"), { marked, whole: source.store.whole, fresh });
  fresh.clear();
  filters.draw({ counts: source.store.whole ? counts : null, totals: totals() });
  bar.setMarks(MARKS.filter((mark) => rows.some((one) => one[mark])));
  bulk.draw();
  showAround();
  showTitle();
}

function totals() {
  const { counts } = source;
  if (!counts) return {};
  const unresolved = counts.open + counts.acknowledged;
  return { unresolved, resolved: counts.resolved, all: unresolved + counts.resolved };
}

/** What stands around the list: notices, the empty page, the connection. */
function showAround() {
  const { connection, status } = source;
  const none = at("list").hidden;
  drawNotices(at("notices"), noticesFor(source, { shown: !none, trouble }));
  if (none) {
    empty.draw({ source, view, sites: health.sites });
  }
  // live means that flags reach this page: the service that waits for Kafka is not
  const state = connection.state === "live" && status && status.state !== "live" ? status.state : connection.state;
  bar.setConnection({ ...connection, state });
}

/** How many nobody has yet, seen from another tab. */
function showTitle() {
  const open = source.counts && view.view === "unresolved" ? source.counts.open : 0;
  const title = open ? `(${open}) ${t("alerts.title")}` : t("alerts.title");
  if (document.title !== title) document.title = title;
}

// ---------------------------------------------------------------- doing

/** One click for somebody whose name is known; the others say it once. */
async function take(number) {
  const by = actorName();
  if (!by) {
    showDetail(number);
    drawer.askName();
    return;
  }
  trouble = "";
  try {
    source.took([await api.post(`/api/v1/incidents/${number}/acknowledge`, { by })]);
  } catch (error) {
    trouble = `#${number}: ${error.detail || error.message}`;
  }
  drawSoon();
}

function acknowledge() {
  const [first, ...rest] = list.meant;
  if (list.selection.size) bulk.acknowledge();
  else if (first !== undefined && !rest.length && source.store.get(first)?.allowed.includes("acknowledge")) take(first);
}

// ---------------------------------------------------------------- one incident

function showDetail(number) {
  if (drawer?.number === number) return;
  drawer?.close();
  history.replaceState(history.state, "", `${location.pathname}${location.search}#incident=${number}`);
  const mine = openDetail(number, {
    onClose() {
      if (drawer !== mine) return;
      drawer = null;
      list.setOpened(null);
      history.replaceState(history.state, "", location.pathname + location.search);
    },
  });
  drawer = mine;
  list.setOpened(number);
}

function followAddress() {
  const found = /^#incident=(\d+)$/.exec(location.hash);
  if (found) showDetail(Number(found[1]));
}

// ---------------------------------------------------------------- beginning

listenToKeys({ list, filters, view, acknowledge, open: showDetail, help: helpBox.open });
for (const [name, down] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) {
  addEventListener(name, ({ target }) => {
    pressed = down && at("list").contains(target);
  });
}
onTick(() => at("list").hidden && showAround()); // how long ago is said there, too
onLanguage(() => {
  settle();
  if (!drawer) return;
  const { number } = drawer;
  drawer.close();
  drawer = null;
  showDetail(number);
});
window.addEventListener("hashchange", followAddress);
actorKnown.then(() => {
  list.redraw();
  drawSoon();
});
source.start(asked());
health.start();
settle();
followAddress();
