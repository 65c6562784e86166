// The hall's screen: follows the feed, without controls, for as long as it hangs there.

import { oncePerFrame } from "/static/shared/drawing.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { FeedClient, patiently } from "/static/shared/live.js";
import { onTick } from "/static/shared/ticker.js";
import boardStrings from "../strings.js";
import { thresholds } from "../thresholds.js";
import { Alarms } from "../alarms/alarms.js";
import { alarmChoice } from "/static/shared/alarms/choice.js";
import { allowSound, unblockAtTouch } from "/static/shared/alarms/sound.js";
import alarmStrings from "../alarms/strings.js";
import { HallBoard } from "./board.js";
import { levelsOf } from "./gap.js";
import { Head } from "./head.js";
import { VersionWatch, startOver, stayAwake, wander } from "./kiosk.js";
import { HallNotices } from "./notices.js";
import { readParams } from "./params.js";
import strings from "./strings.js";
import { Strip } from "./strip.js";
import { Tiles } from "./tiles.js";

const CHANNELS = ["site", "queues", "flags", "calls"]; // calls: for transfers
const REFUSED_MS = 30_000; // then once more: who refuses today may be mended tomorrow

useStrings(boardStrings);
useStrings(alarmStrings);
useStrings(strings);
translateTree(document);

const element = (id) => document.getElementById(id);
const schedule = oncePerFrame(draw);
const wanted = readParams(location.search);
const board = new HallBoard(wanted);
const head = new Head(element("head"), board, wanted.title);
const notices = new HallNotices(element("notices"), element("nothing"), board);
const tiles = new Tiles(element("tiles"), board, wanted);
const strip = new Strip(element("strip"), board);
const version = new VersionWatch();
const alarms = new Alarms(board, { choice: () => ({ ...alarmChoice(), sound: wanted.sound, notify: false }) });

document.documentElement.style.setProperty("--scale", String(wanted.scale));
board.connect({ redrawAll: schedule });

function draw() {
  const changed = board.store.takeChanged();
  head.update();
  tiles.update();
  strip.update();
  alarms.hear(changed.has("flag"));
  tick(performance.now());
}

function tick(now) {
  if (board.tick(now)) schedule();
  const levels = levelsOf(board, now);
  head.tick(now, levels);
  notices.tick(now);
  tiles.tick(now, levels);
  strip.tick(now);
}

function follow(state) {
  const back = state.state === "live" && board.connection.state !== "live";
  const shown = state.state === "refused" ? { ...state, retryAt: Date.now() + REFUSED_MS } : state;
  if (state.state === "refused") startOver(REFUSED_MS);
  board.connection = shown;
  notices.connection(shown);
  if (back) version.look();
  schedule();
}

const feed = new FeedClient({
  channels: CHANNELS,
  filter: wanted.sites.length ? { sites: wanted.sites } : undefined,
  onMessage(message) {
    board.hear(message);
    schedule();
  },
  onState: patiently(follow),
});

onTick(tick);
thresholds.on(schedule);
onLanguage(() => {
  document.title = t("hall.title");
  schedule();
});

if (wanted.sound) {
  notices.sound = true;
  allowSound();
  unblockAtTouch(schedule);
}
stayAwake();
wander(element("stage"));
schedule();
feed.start();
