// The page of inspectors: live calls on the left, what is heard on the right.

import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { oncePerFrame } from "/static/shared/drawing.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { patiently } from "/static/shared/live.js";
import { may, me } from "/static/shared/me.js";
import { onPrefs } from "/static/shared/prefs.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import alarmStrings from "../alarms/strings.js";
import { unblockAtTouch } from "/static/shared/alarms/sound.js";
import { Board } from "../board.js";
import drawerStrings from "../drawers/strings.js";
import { Notices } from "../notices.js";
import { place } from "/static/shared/place.js";
import { SiteFeed } from "../sitefeed.js";
import { StatusBar } from "../statusbar.js";
import boardStrings from "../strings.js";
import { Around } from "./around.js";
import { openCoverage } from "./coverage.js";
import { Deck } from "./deck.js";
import { DeckBar } from "./deckbar.js";
import { clearFilter } from "./filters.js";
import { installHelp } from "./help/help.js";
import helpStrings from "./help/strings.js";
import { listenToKeys } from "./keys.js";
import { CallList } from "./list.js";
import { MarkWatch } from "./marks.js";
import { NEW_AGENT } from "./model.js";
import { emptyDeck, Player } from "./player.js";
import { Policies } from "./policies.js";
import { purposeFor, PurposeChooser } from "./purpose.js";
import soundStrings from "./sound/strings.js";
import strings from "./strings.js";
import { ListenTroubles } from "./troubles.js";
import { Uncovered } from "./uncovered.js";
import { refusalText } from "./words.js";

for (const words of [boardStrings, drawerStrings, alarmStrings, soundStrings, helpStrings, strings]) useStrings(words);
translateTree(document);

const SETTLE_MS = 300;
const FLOOR_MS = 200;
const element = (id) => document.getElementById(id);
const schedule = oncePerFrame(update);
const bar = topbar(element("topbar"), { page: "listen" });
const board = new Board();
const who = { user: "", name: "" };
let known = false; // who looks
const status = new StatusBar(bar, board);
const notices = new Notices(board, (id) => element(id) ?? h("div"));
const around = new Around(board, schedule);
const policies = new Policies(schedule);
const deck = new Deck({ purposeOf, changed: schedule });
const chooser = new PurposeChooser();
const deckBar = new DeckBar(deck, board);
const player = new Player(board, deck, { allowed: (item) => policies.modes(item.target.site, whomOf(item)), user: () => who });
const marks = new MarkWatch(board);
const none = emptyDeck();
const deckTitle = h("h2");
const help = installHelp(bar.tools);
const troubles = new ListenTroubles(element("troubles"));
const list = new CallList(element("calls"), board, around, {
  deeds: { hear, claim, follow: (item) => around.toggleFollow(item.agentKey) },
  look: () => ({ user: who.user, sounding: isSounding, onDeck: placeOf }),
});
const coverageButton = h("button", { class: "button quiet", type: "button", on: { click: coverage } }); // while no line about new agents has one
const uncovered = new Uncovered(element("uncovered"), board, { deeds: { hear, claim, coverage }, user: () => who.user, say });

list.tools.append(coverageButton);
fill(element("deck"), h("div", { class: "panel-head" }, deckTitle, chooser.node), deckBar.node, none.node, player.node);
board.connect({ redrawAll: schedule });

let waiting = null;
let sounded = null; // what sounded when this was last drawn

/** What the floor tells is drawn some times a second: a large one tells something all the time. */
function soon() {
  waiting ??= setTimeout(schedule, FLOOR_MS);
}

function update() {
  clearTimeout(waiting);
  waiting = null;
  feed.follow();
  board.store.takeChanged();
  status.update();
  notices.update();
  const allowed = !known || may("calls.listen");
  setHidden(element("refused"), allowed);
  setHidden(element("console"), !board.store.loaded || !allowed);
  if (!allowed) {
    fill(element("refused"), h("h1", { text: t("listen.not_allowed") }), h("p", { text: t("listen.not_allowed.how") }));
    setHidden(element("uncovered"), true);
    return;
  }
  fetchPolicy();
  deck.look(isGone);
  list.update();
  uncovered.update(list.items);
  setText(coverageButton, t("listen.coverage"));
  setHidden(coverageButton, uncovered.any);
  marks.look(deck.sounding);
  if (known && deck.sounding !== sounded) setTimeout(() => around.listens.now(), SETTLE_MS); // whom everybody hears has just changed
  sounded = deck.sounding;
  setText(deckTitle, t("listen.deck"));
  deckBar.update();
  setHidden(none.node, Boolean(deck.item));
  none.draw();
  player.update();
  board.drawn();
}

/** Of the site that is heard, else of the one that is shown. */
function fetchPolicy() {
  const site = deck.item?.target.site || board.site() || board.sites()[0]?.site;
  const policy = known ? policies.of(site) : null;
  chooser.update(policy?.purposes ?? []);
  troubles.update({ trouble: around.trouble, policy, site: board.siteLabel(site), away: board.connection.state !== "live" });
}

function coverage() {
  openCoverage(board, { onlyNew: uncovered.any });
}

function say(text) {
  setText(element("announcer"), text);
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

/** Whether the call is not on the board any more; of a site that the feed does not tell nothing is known. */
function isGone({ target, callKey }) {
  return target.follow === "call" && board.store.loaded && !board.isComing(target.site) && !board.store.calls.has(callKey);
}

function isSounding(item) {
  const { sounding } = deck;
  if (!sounding) return false;
  return item.call ? sounding.callKey === item.key : sounding.agentKey === item.agentKey;
}

function purposeOf(target) {
  const agent = board.store.agents.get(`${target.site}/${target.agent_id}`);
  const offered = policies.of(target.site)?.purposes.map(({ code }) => code);
  return purposeFor(agent?.tags.includes(NEW_AGENT) ?? false, offered);
}

/** What the policy's rules ask about whom `item` hears. */
function whomOf({ target, agentKey, callKey, purpose }) {
  const agent = board.store.agents.get(agentKey);
  const queue = board.store.calls.get(callKey)?.queue;
  return { team: agent?.team ?? "", queues: queue ? [queue] : (agent?.queues ?? []), tags: agent?.tags ?? [], purpose: purpose || purposeOf(target) };
}

function hear(item, follow) {
  list.cursor = item.key;
  deck.hear(targetOf(item, follow));
}

function claimRefusal(error) {
  const { claim: theirs } = error.problem;
  return theirs ? t("listen.claimed.hint", { name: theirs.user_name || theirs.user }) : refusalText(error);
}

async function claim(item) {
  const { site, call } = item;
  const name = item.agent?.name || item.agentKey;
  try {
    if (item.claim?.user === who.user) await around.release(site, call.call_id);
    else await around.claim(site, call.call_id);
  } catch (error) {
    if (error.name !== "ApiError") throw error;
    troubles.tell(t("listen.claim.failed", { name }), claimRefusal(error), schedule);
    around.claimed.now(); // somebody else was faster, which the list then shows
  }
}

/** Do it with the call that the player shows; in the list the keys are about the line that has the focus. */
function shown(deed) {
  const item = list.byKey?.get(deck.item?.callKey);
  if (item) deed(item);
  else list.focus();
}

/** The new agent's call that has been alone for longest, at once. */
function hearAlone() {
  const [first] = uncovered.items;
  if (first) hear(first, "call");
}

/** A link names whom to hear: on the deck, ready; the sound waits for a touch of the page, as browsers want it. */
function takeLink() {
  const [agent, call] = [place.get("agent"), place.get("call")];
  if (!board.store.loaded || (!agent && !call)) return;
  place.update({ agent: "", call: "" }, { replace: true });
  const key = call || agent;
  const site = key.split("/", 1)[0];
  const id = key.slice(site.length + 1);
  const legOf = board.store.calls.get(key)?.legs.find((leg) => leg.agent_id)?.agent_id ?? "";
  const agentId = call ? legOf : id;
  deck.put({ site, follow: call ? "call" : "agent", call_id: call ? id : "", agent_id: agentId, name: board.agentName(site, agentId) });
}

// what comes by itself

const feed = new SiteFeed(board, {
  onMessage(message) {
    board.hear(message);
    if (message.type === "snapshot") takeLink();
    if (message.type !== "clock") soon();
  },
  onState: patiently(follow),
});

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
  uncovered.tick(local);
  deckBar.tick();
  player.tick(local);
});

listenToKeys({
  hop: (index) => deck.hop(index),
  step: (by) => deck.step(by),
  mute: () => player.toggleMute(),
  toggle: () => deck.toggle(),
  mode: () => player.modes.cycle(),
  note: () => player.notes.focus(),
  claim: () => shown((item) => item.call && claim(item)),
  follow: () => shown((item) => around.toggleFollow(item.agentKey)),
  alone: hearAlone,
  drop: () => deck.drop(deck.selected),
  list: () => list.focus(),
  find: () => list.filters.search.focus(),
  help: () => help.open(),
  back(target) {
    if (player.modes.asked) player.modes.cancel();
    else if (target === list.filters.search || target.closest("#calls")) {
      clearFilter();
      update(); // the focus goes to a line that is there
    }
    list.focus();
  },
});

place.on(schedule);
onPrefs(schedule);
onLanguage(() => {
  document.title = t("listen.title");
  help.render();
  schedule();
});
unblockAtTouch(() => {});

me().then(
  (found) => {
    Object.assign(who, { user: found.user, name: found.name });
    known = true;
    if (may("calls.listen")) around.start();
    schedule();
  },
  schedule,
);

place.update({ site: board.chosenSite }, { replace: true });
feed.start();
update();
