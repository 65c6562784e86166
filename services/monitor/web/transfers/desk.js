// The transfer desk: running and finished transfers, and what somebody found out about them.

import { api } from "/static/shared/api.js";
import { h } from "/static/shared/dom.js";
import { oncePerFrame } from "/static/shared/drawing.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { FeedClient, patiently } from "/static/shared/live.js";
import { me } from "/static/shared/me.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { Board } from "../board.js";
import { Notices } from "../notices.js";
import { place } from "/static/shared/place.js";
import { StatusBar } from "../statusbar.js";
import boardStrings from "../strings.js";
import { Archive } from "./archive.js";
import { Detail } from "./detail.js";
import { unsaved } from "./drafts.js";
import { Filters } from "./filters.js";
import { TransferList } from "./list.js";
import { isRunning } from "../transferfacts.js";
import { queryOf, rangeOf, readFilter, readSort } from "./query.js";
import strings from "./strings.js";

useStrings(boardStrings);
useStrings(strings);
translateTree(document);

const element = (id) => document.getElementById(id);
const schedule = oncePerFrame(update);
const bar = topbar(element("topbar"), { page: "transfers" });
const board = new Board();
const status = new StatusBar(bar, board);
const notices = new Notices(board, (id) => element(id) ?? h("div"));
const archive = new Archive(() => update());
const filters = new Filters(element("filters"), board);
const list = new TransferList({ running: element("running"), finished: element("finished") }, board, archive, { choose, look });
const detail = new Detail(element("detail"), board, { found, saved, touched: () => list.update() });

board.connect({ redrawAll: schedule });

let running = new Set();

function look() {
  return { chosen: place.get("transfer"), unsaved: new Set(unsaved()) };
}

/** The transfer as the feed or the server's list has it; while it runs the feed knows best. */
function found(key) {
  const live = board.store.transfers.get(key);
  if (live && isRunning(live)) return live;
  return archive.rows.get(key) ?? live ?? null;
}

function choose(key) {
  place.set("transfer", key);
}

function saved(key, theirs) {
  archive.put(key, theirs);
}

/** Everything anew; cheap enough for each change, because only what is seen exists. */
function update() {
  board.store.takeChanged();
  noticeEnds();
  ask();
  status.update();
  notices.update();
  filters.update();
  list.update();
  detail.choose(place.get("transfer"));
  detail.update();
}

/** A transfer that ran and does not any more will be with the server in a moment. */
function noticeEnds() {
  const now = new Set([...board.store.transfers].filter(([, transfer]) => isRunning(transfer)).map(([key]) => key));
  if ([...running].some((key) => !now.has(key))) archive.soon();
  running = now;
}

function ask() {
  const filter = readFilter(board.site());
  const { zone, now } = list.day();
  const range = rangeOf(filter, zone, now);
  if (filter.day && !range) return; // "today" waits for the site's clock
  archive.begin(queryOf(filter, readSort(), range));
}

new FeedClient({
  channels: ["site", "queues", "agents", "calls"],
  onMessage(message) {
    board.hear(message);
    if (message.type !== "clock") schedule();
  },
  onState: patiently(follow),
}).start();

/** Take the connection's state. */
function follow(state) {
  bar.setConnection(state);
  board.connection = state;
  notices.connection(state);
  schedule();
}

onTick((local) => {
  if (board.tick(local)) schedule();
  status.tick(local);
  notices.tick(local);
  list.tick(local);
  detail.tick(local);
});

place.on(schedule);
onLanguage(() => {
  document.title = t("desk.title");
  schedule();
});

me().then(schedule, schedule);

async function askReasons() {
  try {
    detail.form.offer(await api.get("/api/v1/transfer-reasons"));
  } catch (error) {
    if (error.status !== 404) setTimeout(askReasons, 5000);
  }
}
askReasons();

window.addEventListener("beforeunload", (event) => {
  if (unsaved().length) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    event.preventDefault();
    detail.form.save();
  } else if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  } else if (event.key === "Escape" && element("detail").contains(event.target)) {
    list.scroller.focus();
  } else if (typing) {
    return;
  } else if (event.key === "/") {
    event.preventDefault();
    filters.search.focus();
    filters.search.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && !event.target.closest("button, a")) {
    event.preventDefault(); // else the control that gets the focus hears it, too
    detail.form.focus();
  }
});

function step(by) {
  const keys = list.keys();
  if (!keys.length) return;
  const at = keys.indexOf(place.get("transfer"));
  const next = keys[at < 0 ? 0 : Math.min(keys.length - 1, Math.max(0, at + by))];
  place.set("transfer", next, { replace: true });
  list.reveal(next);
}

update();
