// The six places of the deck, side by side: who, in which state, and which one is shown.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { PLACES } from "./deck.js";
import { nameOfItem, shapeOf, toneOf } from "./words.js";

export class DeckBar {
  constructor(deck, board) {
    Object.assign(this, { deck, board });
    this.places = Array.from({ length: PLACES }, (_, index) => this.#place(index));
    this.node = h("div", { class: "deck-bar", role: "group" }, this.places.map(({ node }) => node));
  }

  #place(index) {
    const parts = {
      number: h("kbd", { text: index + 1 }),
      shape: icon("offline"),
      name: h("span", { class: "deck-name truncate" }),
      state: h("span", { class: "deck-state truncate" }),
    };
    const open = h("button", { class: "deck-open", type: "button", on: { click: () => this.deck.hop(index) } }, parts.number, h("span", { class: "deck-words" }, parts.name, h("span", { class: "deck-line" }, parts.shape, parts.state)));
    const drop = h("button", { class: "button quiet icon-only deck-drop", type: "button", on: { click: () => this.deck.drop(index) } }, icon("close"));
    const node = h("div", { class: "deck-place" });
    fill(node, open, drop);
    return { node, open, drop, ...parts };
  }

  update() {
    const { deck, board } = this;
    setAttr(this.node, "aria-label", t("listen.deck.places"));
    this.places.forEach((place, index) => {
      const item = deck.items[index];
      setData(place.node, "chosen", item && index === deck.selected ? "yes" : "");
      setData(place.node, "empty", item ? "" : "yes");
      setData(place.node, "tone", item ? toneOf(item) : "");
      place.open.disabled = !item;
      setAttr(place.open, "aria-current", item && index === deck.selected ? "true" : null);
      setHidden(place.drop, !item);
      setAttr(place.shape, "hidden", !item);
      setText(place.name, item ? nameOfItem(item, board) : t("listen.deck.empty"));
      if (item) {
        setIcon(place.shape, shapeOf(item));
        setAttr(place.drop, "aria-label", t("listen.deck.drop", { name: nameOfItem(item, board) }));
        setAttr(place.drop, "title", t("listen.deck.drop", { name: nameOfItem(item, board) }));
      }
    });
    this.tick();
  }

  tick() {
    this.places.forEach((place, index) => {
      const item = this.deck.items[index];
      const heard = item ? item.heardS() : 0;
      setText(place.state, item ? [item.phase === "live" && item.muted ? t("listen.mark.hold") : t(`listen.phase.${item.shownPhase}`), heard >= 1 && duration(heard)].filter(Boolean).join(" · ") : "");
    });
  }
}
