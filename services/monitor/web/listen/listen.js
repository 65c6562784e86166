// The page of inspectors: live calls on the left, what is heard on the right.

import { fill, h, setHidden } from "/static/shared/dom.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { may, me } from "/static/shared/me.js";
import { onPrefs } from "/static/shared/prefs.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { Board } from "../board.js";
import drawerStrings from "../drawers/strings.js";
import { Notices } from "../notices.js";
import { place } from "../place.js";
import { SiteFeed } from "../sitefeed.js";
import { StatusBar } from "../statusbar.js";
import boardStrings from "../strings.js";
import { Around } from "./around.js";
import { Deck } from "./deck.js";
import { DeckBar } from "./deckbar.js";
import { CallList } from "./list.js";
import { NEW_AGENT } from "./model.js";
import { emptyDeck, Player } from "./player.js";
import { purposeFor, PurposeChooser } from "./purpose.js";
import strings from "./strings.js";

useStrings(boardStrings);
useStrings(drawerStrings);
useStrings(strings);
translateTree(document);

const PATIENCE_MS = 1000;
const element = (id) => document.getElementById(id);
const bar = topbar(element("topbar"), { page: "listen" });
const board = new Board();
const status = new StatusBar(bar, board);
const notices = new Notices(board, (id) => element(id) ?? h("div"));
const around = new Around(board, schedule);
const deck = new Deck({ purposeOf, changed: schedule });
const chooser = new PurposeChooser();
const deckBar = new DeckBar(deck, board);
const player = new Player(board, deck);
const none = emptyDeck();
const list = new CallList(element("calls"), board, around, {
  deeds: { hear, claim, follow: (item) => around.toggleFollow(item.agentKey) },
  look: () => ({ user, sounding: isSounding, onDeck: (item) => placeOf(item) }),
});

fill(element("deck"), h("div", { class: "panel-head" }, h("h2", { "data-t": "listen.deck" }), chooser.node), deckBar.node, none.node, player.node);
board.connect({ redrawAll: schedule });

let user = "";
let drawing = false;
let patience = null;

function schedule() {
  if (drawing) return;
  drawing = true;
  const now = () => {
    drawing = false;
    update();
  };
  if (document.hidden) setTimeout(now, PATIENCE_MS);
  else requestAnimationFrame(now);
}

function update() {
  feed.follow();
  board.store.takeChanged();
  status.update();
  notices.update();
  setHidden(element("console"), !board.store.loaded);
  list.update();
  chooser.update([]);
  deckBar.update();
  setHidden(none.node, Boolean(deck.item));
  none.draw();
  player.update();
  board.drawn();
}

// deeds

function targetOf(item, follow) {
  const { call, agent, leg, site, agentKey } = item;
  const id = agentKey.slice(site.length + 1);
  return { site, follow, call_id: follow === "call" ? call.call_id : "", agent_id: id, name: agent?.name || leg?.agent_id || id };
}

function placeOf(item) {
  return (item.call && deck.placeOf(targetOf(item, "call"))) || deck.placeOf(targetOf(item, "agent"));
}

function isSounding(item) {
  const { sounding } = deck;
  if (!sounding) return false;
  return item.call ? sounding.callKey === item.key : sounding.agentKey === item.agentKey;
}

function purposeOf(target) {
  const agent = board.store.agents.get(`${target.site}/${target.agent_id}`);
  return purposeFor(agent?.tags.includes(NEW_AGENT) ?? false);
}

function hear(item, follow) {
  list.cursor = item.key;
  deck.hear(targetOf(item, follow));
}

async function claim(item) {
  const { site, call } = item;
  try {
    if (item.claim?.user === user) await around.release(site, call.call_id);
    else await around.claim(site, call.call_id);
  } catch (error) {
    if (error.name !== "ApiError") throw error;
    around.claimed.now(); // somebody else was faster, which the list then says
  }
}

// what comes by itself

const feed = new SiteFeed(board, {
  onMessage(message) {
    board.hear(message);
    if (message.type !== "clock") schedule();
  },
  onState: follow,
});

/** Take the connection's state. A line that is back within a second was never gone. */
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
  schedule();
}

onTick((local) => {
  if (board.tick(local)) schedule();
  status.tick(local);
  notices.tick(local);
  list.tick(local);
  deckBar.tick();
  player.tick(local);
});

place.on(schedule);
onPrefs(schedule);
onLanguage(() => {
  document.title = t("listen.title");
  schedule();
});

me().then(
  (known) => {
    user = known.user;
    if (may("calls.listen")) around.start();
    schedule();
  },
  schedule,
);

place.update({ site: board.chosenSite }, { replace: true });
feed.start();
update();
