// The wallboard: follows the feed and keeps the page in step with it.

import { oncePerFrame } from "/static/shared/drawing.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { patiently } from "/static/shared/live.js";
import { onFastTick, onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { ActionsPanel } from "./actions/panel.js";
import { Alarms } from "./alarms/alarms.js";
import { markBlockedSound } from "/static/shared/alarms/blocked.js";
import { Announcer } from "./announcer.js";
import { Board } from "./board.js";
import { followAddress, openAgent, openQueue } from "./drawers/drawers.js";
import { AgentsPanel } from "./floor/agents.js";
import { listenToKeys } from "./floor/keys.js";
import { QueuesPanel } from "./floor/queues.js";
import { FlagsPanel, TransfersPanel } from "./floor/rail.js";
import floorStrings from "./floor/strings.js";
import { RailStrip } from "./floor/strip.js";
import { Notices } from "./notices.js";
import { place } from "/static/shared/place.js";
import { Rewind } from "./rewind/rewind.js";
import { installSettings } from "./settings/settings.js";
import { SiteFeed } from "./sitefeed.js";
import { StatusBar } from "./statusbar.js";
import strings from "./strings.js";

useStrings(strings);
useStrings(floorStrings);
translateTree(document);

const element = (id) => document.getElementById(id);
const schedule = oncePerFrame(draw);
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
const strip = new RailStrip(element("rail-strip"), board, actions);

board.connect({
  agents,
  queues,
  redrawAll,
  opens: { agent: (key) => openAgent(board, key), queue: (key) => openQueue(board, key) },
});
followAddress(board);
board.rewind = new Rewind(board, { tools: bar.tools, root: element("rewind-bar") });
installSettings(bar.tools, board);
markBlockedSound(bar.tools);
const alarms = new Alarms(board, { away: () => Boolean(board.rewound) });

let everything = false;

/** What may follow a little later, at most so often. */
class Later {
  constructor(deed) {
    Object.assign(this, { deed, waits: false });
  }

  soon() {
    if (this.waits) return;
    this.waits = true;
    setTimeout(() => {
      this.waits = false;
      this.deed();
    }, LATER_MS);
  }
}

const elsewhere = new Later(schedule); // flags of sites that are not shown
const rail = new Later(() => {
  flags.update();
  transfers.update();
  strip.update();
});

function redrawAll() {
  everything = true;
  schedule();
}

const LATER_MS = 300;

function draw() {
  feed.follow();
  const changed = board.store.takeChanged();
  const all = board.sitesChanged(changed) || everything;
  everything = false;
  const any = (...kinds) => all || kinds.some((kind) => changed.has(kind));
  const flagged = any("flag", "agent", "call", "transfer") ? board.indexFlags() : new Set();
  const touched = new Set([...(changed.get("agent") ?? []), ...flagged]);
  if (any("site")) {
    status.update();
    notices.update();
  }
  if (all) setTimeout(() => actions.update()); // it looks at the whole floor: after this frame
  const { loaded } = board.store;
  const empty = board.isEmpty();
  element("floor").hidden = !loaded || empty;
  if (any("queue", "flag")) queues.update();
  const named = board.namesChanged(changed);
  if (all || named || touched.size) agents.update(touched, { all: all || named, flags: flagged.size > 0 });
  if (any("flag")) flags.update();
  if (any("transfer")) transfers.update();
  if (any("flag", "transfer")) strip.update();
  if (any("agent", "call", "queue")) rail.soon(); // names and places only
  if (loaded && !board.rewound) announcer.announce(changed.has("flag"));
  alarms.hear(changed.has("flag"));
  if (notices.welcomed !== (loaded && empty)) notices.update();
  if (!schedule.waits()) board.drawn();
}

const feed = new SiteFeed(board, {
  onMessage(message) {
    board.hear(message);
    if (feed.concerns(message)) schedule();
    else elsewhere.soon();
  },
  onState: patiently(hearConnection),
});

/** Take the connection's state. */
function hearConnection(state) {
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
  if (!agents.scrolling(now)) actions.tick(now); // whoever scrolls does not read it
  flags.tick(now);
  transfers.tick(now);
  strip.tick(now);
});

onFastTick((now) => {
  if (!board.store.running.size) return;
  agents.tickTransfers(now);
  transfers.tick(now);
});

onLanguage(() => {
  document.title = t("board.title");
  redrawAll();
});

listenToKeys(board);
place.update({ site: board.chosenSite }, { replace: true }); // a remembered one too: the address says all of what is shown
place.on(() => feed.follow());
feed.start();
redrawAll();
