// Up to six calls or agents at hand, of which one sounds. Hopping ends the listen that sounded and begins another, so that
// the audit says of each call exactly when it was heard; what one set up and wrote stays with each place.

import { DeckItem, keyOf } from "./deckitem.js";
import { unlockAudio } from "./soundbox.js";

export const PLACES = 6;
const KEPT = "floorwatch.deck"; // of this tab

export class Deck {
  /** `purposeOf(target)` -> the purpose to begin with; `changed()` after each change. */
  constructor({ purposeOf, changed }) {
    Object.assign(this, { purposeOf, changed, items: Array(PLACES).fill(null), selected: 0 });
    const { targets, selected } = recalled();
    for (const target of targets) this.items[this.items.indexOf(null)] = new DeckItem(target, () => this.changed());
    if (this.items[selected]) this.selected = selected;
  }

  get item() {
    return this.items[this.selected];
  }

  /** What sounds, or is about to; null. */
  get sounding() {
    return this.items.find((item) => item?.isOpen) ?? null;
  }

  /** The place of `target`, from 1; 0 when it is not on the deck. */
  placeOf(target) {
    const key = keyOf(target);
    return this.items.findIndex((item) => item?.key === key) + 1;
  }

  /** Put it on the deck, where it is already or where there is room, and show it. Returns its item. */
  put(target) {
    const known = this.placeOf(target) - 1;
    const index = known >= 0 ? known : this.#room();
    if (known < 0) this.items[index] = new DeckItem(target, () => this.changed());
    this.selected = index;
    this.#keep();
    this.changed();
    return this.items[index];
  }

  /** A free place; else that of what is over; else of what was heard longest ago. */
  #room() {
    const free = this.items.indexOf(null);
    if (free >= 0) return free;
    const over = this.items.findIndex((item) => item.shownPhase === "ended");
    if (over >= 0) return over;
    const byAge = this.items.map((item, index) => ({ item, index })).sort((a, b) => a.item.heardAt - b.item.heardAt);
    const { item, index } = byAge.find((one) => !one.item.isOpen) ?? byAge[0];
    item.park();
    return index;
  }

  /** Put it on the deck and hear it: one click. Call it in a click or key press, else the browser may keep it silent. */
  hear(target, purpose = this.purposeOf(target)) {
    const item = this.put(target);
    this.#sound(item, purpose);
    return item;
  }

  #sound(item, purpose) {
    unlockAudio();
    for (const other of this.items) if (other && other !== item) other.park();
    return item.hear(purpose);
  }

  /** Hop to place `index` from 0: shown, and heard when something sounded before. */
  hop(index) {
    const item = this.items[index];
    if (!item) return;
    const before = this.sounding;
    this.selected = index;
    if (before && before !== item && item.shownPhase !== "ended") this.#sound(item, this.purposeOf(item.target));
    this.#keep();
    this.changed();
  }

  /** To the next place that holds something, `by` 1 or -1. */
  step(by) {
    for (let n = 1; n <= PLACES; n += 1) {
      const index = (this.selected + by * n + PLACES * n) % PLACES;
      if (this.items[index]) return this.hop(index);
    }
    return undefined;
  }

  /** Hear what is shown, or stop. */
  toggle() {
    const { item } = this;
    if (!item || item.isOver) return;
    if (item.isOpen) item.park();
    else this.#sound(item, this.purposeOf(item.target));
  }

  /** Look which of them are over; `isGone(item)`: its call is not on the board any more. */
  look(isGone) {
    for (const item of this.items) if (item) item.gone = isGone(item);
  }

  /** Take it off the deck. */
  drop(index) {
    const item = this.items[index];
    if (!item) return;
    item.park();
    this.items[index] = null;
    if (index === this.selected) this.selected = Math.max(0, this.items.findIndex(Boolean));
    this.#keep();
    this.changed();
  }

  #keep() {
    try {
      const kept = this.items.filter(Boolean);
      sessionStorage.setItem(KEPT, JSON.stringify({ targets: kept.map(({ target }) => target), selected: kept.indexOf(this.item) }));
    } catch {
      // a browser that stores nothing forgets the deck at a reload
    }
  }
}

function recalled() {
  try {
    const { targets, selected } = JSON.parse(sessionStorage.getItem(KEPT));
    return { targets: targets.filter(({ site, follow }) => site && ["call", "agent"].includes(follow)).slice(0, PLACES), selected };
  } catch {
    return { targets: [], selected: 0 }; // nothing was kept
  }
}
