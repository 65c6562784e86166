// The wallboard: follows the feed and keeps the page in step with it.

import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { FeedClient } from "/static/shared/live.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { ActionsPanel } from "./actions/panel.js";
import { AgentsPanel } from "./agents.js";
import { Announcer } from "./announcer.js";
import { Board } from "./board.js";
import { followAddress, openAgent, openQueue } from "./drawers/drawers.js";
import { Notices } from "./notices.js";
import { QueuesPanel } from "./queues.js";
import { FlagsPanel, TransfersPanel } from "./rail.js";
import { StatusBar } from "./statusbar.js";
import strings from "./strings.js";

useStrings(strings);
translateTree(document);

const element = (id) => document.getElementById(id);
const bar = topbar(element("topbar"), { page: "monitor" });
const board = new Board();
const status = new StatusBar(bar, board, redrawAll);
const notices = new Notices(board, element);
const announcer = new Announcer(element("announcer"), board);
const queues = new QueuesPanel(element("queues"), board);
const agents = new AgentsPanel(element("agents"), board);
const actions = new ActionsPanel(element("actions"), board);
const flags = new FlagsPanel(element("flags"), board);
const transfers = new TransfersPanel(element("transfers"), board);

board.connect({
  agents,
  queues,
  redrawAll,
  opens: { agent: (key) => openAgent(board, key), queue: (key) => openQueue(board, key) },
});
followAddress(board);

let drawing = false;
let everything = false;

/** Draw what has changed at the next frame: however many deltas come, the page is touched once a frame. */
function schedule() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function redrawAll() {
  everything = true;
  schedule();
}

const NONE = new Set();
const PATIENCE_MS = 1000;

function draw() {
  const changed = board.store.takeChanged();
  const all = everything || changed.has("site");
  everything = false;
  const any = (...kinds) => all || kinds.some((kind) => changed.has(kind));
  if (any("flag", "agent", "call", "transfer")) board.indexFlags();
  if (all) {
    status.update();
    notices.update();
    actions.update();
  }
  const { loaded } = board.store;
  const empty = board.isEmpty();
  element("floor").hidden = !loaded || empty;
  if (any("queue", "flag")) queues.update();
  if (any("agent", "flag", "queue")) agents.update(changed.get("agent") ?? NONE, any("flag", "queue"));
  if (any("flag", "agent", "call", "queue")) flags.update();
  if (any("transfer", "agent", "queue")) transfers.update();
  if (loaded) announcer.announce(changed.has("flag"));
  if (notices.welcomed !== (loaded && empty)) notices.update();
}

const feed = new FeedClient({
  onMessage(message) {
    board.hear(message);
    schedule();
  },
  onState: follow,
});

let patience = null;

/** Take the connection's state. A line that is back within a second was never gone: no banner flashes, no tile greys. */
function follow(state) {
  clearTimeout(patience);
  const left = state.state === "lost" ? state.since + PATIENCE_MS - Date.now() : 0;
  if (left > 0) {
    patience = setTimeout(follow, left, state);
    return;
  }
  bar.setConnection(state);
  board.connection = state;
  notices.connection(state);
  redrawAll();
}

onTick((now) => {
  if (board.tick(now)) redrawAll();
  status.tick(now);
  notices.tick(now);
  queues.tick(now);
  agents.tick(now);
  actions.tick(now);
  flags.tick(now);
  transfers.tick(now);
});

onLanguage(() => {
  document.title = t("board.title");
  redrawAll();
});

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    agents.tools.search.focus();
    agents.tools.search.select();
  }
});

redrawAll();
feed.start();
