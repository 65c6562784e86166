// What is heard: who speaks with whom, how it is with the sound, and everything one does while listening.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { Parties } from "./parties.js";
import { otherParty } from "./row.js";
import { nameOfItem, reasonWords, refusalWords, shapeOf, toneOf } from "./words.js";

export class Player {
  constructor(board, deck) {
    Object.assign(this, { board, deck, item: null });
    this.who = h("h2", { class: "player-who truncate" });
    this.other = h("span", { class: "player-other truncate" });
    this.direction = icon("internal");
    this.facts = h("p", { class: "player-facts muted truncate" });
    this.follows = h("span", { class: "badge player-follows", data: { tone: "info" } });
    this.shape = icon("offline");
    this.word = h("strong");
    this.more = h("span", { class: "player-more" });
    this.state = h("p", { class: "player-state", role: "status" }, this.shape, this.word, this.more);
    this.toggle = h("button", { class: "button primary player-toggle", type: "button", on: { click: () => deck.toggle() } }, icon("play"), h("span"), h("kbd", { text: "Enter" }));
    this.mute = h("button", { class: "button player-mute", type: "button", on: { click: () => this.toggleMute() } }, icon("muted"), h("span"), h("kbd", { text: "␣" }));
    this.parties = new Parties(board);
    this.node = h(
      "div",
      { class: "player" },
      h("header", { class: "player-head" }, h("div", { class: "player-names" }, h("div", { class: "player-line" }, this.who, this.direction, this.other), this.facts), this.follows),
      h("div", { class: "player-bar" }, this.state, this.mute, this.toggle),
      this.parties.node,
    );
  }

  toggleMute() {
    const { item } = this.deck;
    if (item) item.mute(!item.silent);
  }

  update() {
    const { item } = this.deck;
    this.item = item;
    setHidden(this.node, !item);
    if (!item) return;
    const { board } = this;
    const call = board.store.calls.get(item.callKey) ?? null;
    setText(this.who, nameOfItem(item, board));
    setHidden(this.direction, !call);
    const agent = board.store.agents.get(item.agentKey) ?? null;
    if (call) setIcon(this.direction, call.direction);
    setText(this.other, call ? otherParty(call, agent, call.site, board) : "");
    setText(this.follows, t(`listen.follows.${item.target.follow}`));
    setAttr(this.follows, "title", t(`listen.follows.${item.target.follow}.hint`));
    this.#drawState(item);
    setIcon(this.toggle.firstChild, item.isOpen ? "stop" : "play");
    setText(this.toggle.children[1], t(item.isOpen ? "listen.stop" : "listen.start"));
    setData(this.toggle, "open", item.isOpen ? "yes" : "");
    setAttr(this.mute, "aria-pressed", String(item.silent));
    setText(this.mute.children[1], t(item.silent ? "listen.unmute" : "listen.mute"));
    this.tick();
  }

  #drawState(item) {
    setData(this.state, "tone", toneOf(item));
    setIcon(this.shape, shapeOf(item));
    setText(this.word, item.phase === "live" && item.muted ? t("listen.muted.hold") : t(`listen.phase.${item.phase}`));
    const refused = item.trouble ? refusalWords(item.trouble) : null;
    setText(this.more, refused ? `${refused.head} ${refused.more}` : reasonWords(item.reason) || (item.phase === "parked" ? t("listen.parked.hint") : ""));
  }

  tick(local = performance.now()) {
    const { item, board } = this;
    if (!item) return;
    const call = board.store.calls.get(item.callKey) ?? null;
    const agent = board.store.agents.get(item.agentKey) ?? null;
    const facts = [
      agent?.team, call?.queue && board.queueLabel(call.site, call.queue), call && t(`direction.${call.direction}`),
      call && t("listen.call.length", { time: duration(board.clocks.since(call.site, call.started, local)) }),
      item.purpose && t("listen.for", { purpose: t(`listen.purpose.${item.purpose}`) }),
    ];
    setText(this.facts, facts.filter(Boolean).join(" · "));
    this.parties.draw(item, local);
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
