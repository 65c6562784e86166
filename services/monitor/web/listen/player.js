// What is heard: who speaks with whom, how it is with the sound, and everything one does while listening.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { Modes } from "./modes.js";
import { Notes } from "./notes.js";
import { Parties } from "./parties.js";
import { purposeText } from "./purpose.js";
import { otherParty } from "./row.js";
import { SoundPanel } from "./soundpanel.js";
import { nameOfItem, reasonWords, refusalText, shapeOf, toneOf } from "./words.js";

export class Player {
  /** `allowed(item)` -> modes that the policy lets this reader use; `user()` -> who reads. */
  constructor(board, deck, { allowed, user }) {
    Object.assign(this, { board, deck, user, item: null });
    this.who = h("h2", { class: "player-who truncate" });
    this.other = h("span", { class: "player-other truncate" });
    this.direction = icon("internal");
    this.facts = h("p", { class: "player-facts muted truncate" });
    this.follows = h("span", { class: "badge player-follows", data: { tone: "info" } });
    this.shape = icon("offline");
    this.word = h("strong");
    this.more = h("span", { class: "player-more" });
    this.state = h("p", { class: "player-state", role: "status" }, this.shape, this.word, this.more);
    this.toggle = h("button", { class: "button primary player-toggle", type: "button", on: { click: () => (this.item.isOver ? deck.drop(deck.selected) : deck.toggle()) } }, icon("play"), h("span"), h("kbd"));
    this.mute = h("button", { class: "button player-mute", type: "button", on: { click: () => this.toggleMute() } }, icon("muted"), h("span"), h("kbd", { text: "␣" }));
    this.sound = new SoundPanel(deck);
    this.modes = new Modes(deck, allowed);
    this.parties = new Parties(board);
    this.notes = new Notes(board, deck, user);
    this.node = h(
      "div",
      { class: "player" },
      h("header", { class: "player-head" }, h("div", { class: "player-names" }, h("div", { class: "player-line" }, this.who, this.direction, this.other), this.facts), this.follows),
      h("div", { class: "player-bar" }, this.state, this.mute, this.toggle),
      this.sound.node,
      this.modes.node,
      this.parties.node,
      this.notes.node,
    );
  }

  /** Mutes what sounds, be it shown or not; while nothing does, what is shown. */
  toggleMute() {
    const item = this.#audible();
    if (item) item.mute(!item.silent);
  }

  #audible() {
    return this.deck.sounding ?? this.deck.item;
  }

  update() {
    const { item } = this.deck;
    this.item = item;
    setHidden(this.node, !item);
    if (!item) return;
    const { board } = this;
    const call = board.store.calls.get(item.callKey) ?? null;
    setText(this.who, nameOfItem(item, board));
    setAttr(this.direction, "hidden", !call);
    const agent = board.store.agents.get(item.agentKey) ?? null;
    if (call) setIcon(this.direction, call.direction);
    setText(this.other, call ? otherParty(call, agent, call.site, board) : "");
    setText(this.follows, t(`listen.follows.${item.target.follow}`));
    setAttr(this.follows, "title", t(`listen.follows.${item.target.follow}.hint`));
    this.#drawState(item);
    this.#drawToggle(item);
    const { silent } = this.#audible();
    setAttr(this.mute, "aria-pressed", String(silent));
    setText(this.mute.children[1], t(silent ? "listen.unmute" : "listen.mute"));
    for (const part of [this.sound, this.modes, this.notes]) part.update();
    this.tick();
  }

  /** Hear it, stop, or clear the place of what is over. */
  #drawToggle({ isOpen, isOver }) {
    const [shape, words, key] = this.toggle.children;
    setIcon(shape, isOver ? "close" : isOpen ? "stop" : "play");
    setText(words, t(isOver ? "listen.off_deck" : isOpen ? "listen.stop" : "listen.start"));
    setText(key, isOver ? "X" : "S");
    setData(this.toggle, "quiet", isOpen || isOver ? "yes" : "");
  }

  /** Who else hears it: names. */
  #others({ listeners, isOpen }) {
    return isOpen ? listeners.filter((name) => name !== this.user().name && name !== this.user().user) : [];
  }

  #drawState(item) {
    setData(this.state, "tone", toneOf(item));
    setIcon(this.shape, shapeOf(item));
    setText(this.word, item.phase === "live" && item.muted ? t("listen.muted.hold") : t(`listen.phase.${item.shownPhase}`));
    setText(this.more, [this.#why(item), this.#elsewhere(item)].filter(Boolean).join(" · "));
  }

  #why({ trouble, reason, phase, isOver }) {
    if (isOver && phase !== "ended") return reasonWords("call_ended");
    if (trouble) return refusalText(trouble);
    return reasonWords(reason) || (phase === "parked" ? t("listen.parked.hint") : "");
  }

  /** What one hears while something else is shown. */
  #elsewhere(item) {
    const { deck, board } = this;
    const heard = deck.sounding;
    return heard && heard !== item ? t("listen.elsewhere", { n: deck.items.indexOf(heard) + 1, name: nameOfItem(heard, board) }) : "";
  }

  tick(local = performance.now()) {
    const { item, board } = this;
    if (!item) return;
    const call = board.store.calls.get(item.callKey) ?? null;
    const agent = board.store.agents.get(item.agentKey) ?? null;
    const facts = [
      agent?.team, call?.queue && board.queueLabel(call.site, call.queue), call && t(`direction.${call.direction}`),
      call && t("listen.call.length", { time: duration(board.clocks.since(call.site, call.started, local)) }),
      item.purpose && t("listen.for", { purpose: purposeText(item.purpose) }),
      this.#others(item).length > 0 && t("listen.listening", { names: this.#others(item).join(", ") }),
    ];
    setText(this.facts, facts.filter(Boolean).join(" · "));
    this.parties.draw(item, local);
    for (const part of [this.sound, this.modes, this.notes]) part.tick();
  }
}

export function emptyDeck() {
  const node = h("div", { class: "empty deck-none" });
  return {
    node,
    draw() {
      fill(node, icon("listened"), h("h2", { text: t("listen.deck.none") }), h("p", { text: t("listen.deck.none.how") }), h("p", { class: "muted", text: t("listen.deck.none.trace") }));
    },
  };
}
