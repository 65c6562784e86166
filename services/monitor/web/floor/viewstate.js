// What the floor view shows and how: filters, order, cards or rows, columns. The address holds all of it, so that a link shows
// the same to whoever opens it; how somebody likes it is remembered for when they come without one.

import { onPrefs, prefs } from "/static/shared/prefs.js";
import { place } from "/static/shared/place.js";
import { COLUMN, columnsOf, DEFAULT_COLUMNS } from "./columns.js";

export const VIEWS = ["cards", "rows"];
export const SORTS = ["team", "name", "attention"];

const LIKINGS = ["view", "sort", "columns"]; // what is remembered; what is searched for is not
const FILTERS = ["q", "states", "of_queue", "team", "tag", "flagged"];
const NAMES = { queue: "of_queue", team: "team", tag: "tag" }; // in the address `queue` is the drawer that is open

const list = (text) => text.split(",").filter(Boolean);
const isSort = (sort) => SORTS.includes(sort) || COLUMN.has(sort.replace(/^-/, ""));

export class ViewState {
  /** `onChange()` after each change, by whom ever: a control, "back", another tab. */
  constructor(onChange) {
    this.filter = { text: "", states: new Set(), queue: "", team: "", tag: "", flagged: false, site: "" };
    this.linked = LIKINGS.some((name) => place.get(name)); // somebody's link: their view, and not ours
    this.#write();
    this.#read();
    place.on((changed) => {
      if (![...LIKINGS, ...FILTERS, "site"].some((name) => changed.has(name))) return;
      this.#read();
      onChange();
    });
    onPrefs((key, by) => {
      const chosen = by === "here"; // in whatever dialog
      if (!chosen && this.linked) return;
      const { view, sort, columns } = written(liked());
      if (key === "view") place.update({ view, sort }, { replace: !chosen });
      if (key === "columns") place.update({ columns }, { replace: !chosen });
    });
  }

  /** Put into the address what is liked, where it says nothing; always the view, so that every address is a whole one. */
  #write() {
    place.update(this.linked ? { view: place.get("view") || "cards" } : written(liked()), { replace: true });
  }

  #read() {
    const { filter } = this;
    this.view = VIEWS.includes(place.get("view")) ? place.get("view") : "cards";
    this.sort = isSort(place.get("sort")) ? place.get("sort") : "team";
    this.columns = columnsOf(list(place.get("columns")));
    filter.text = place.get("q");
    filter.states = new Set(list(place.get("states")));
    for (const [name, inAddress] of Object.entries(NAMES)) filter[name] = place.get(inAddress);
    filter.flagged = place.get("flagged") === "yes";
  }

  /** Choose how it looks; remembered. {view, sort, columns: [ids]} */
  like(likings) {
    const ids = this.columns.map((column) => column.id);
    const { view, sort, columns } = { view: this.view, sort: this.sort, columns: ids, ...likings };
    place.update(written({ view, sort, columns }));
    if (likings.columns) prefs.set("columns", columns);
    if (likings.view || likings.sort) prefs.set("view", { view, sort });
  }

  /** Sort by a column; by the same once more turns it round, and a third time ends it. */
  sortBy(id) {
    const next = this.sort === `-${id}` ? id : this.sort === id ? "team" : `-${id}`;
    this.like({ sort: next });
  }

  /** Text as it is typed is one step of the address, not one for each letter. */
  search(text) {
    place.set("q", text, { replace: true });
  }

  toggleState(state) {
    const states = new Set(this.filter.states);
    if (!states.delete(state)) states.add(state);
    place.set("states", [...states].join());
  }

  /** `name`: queue, team, tag; "" for any. */
  choose(name, value) {
    place.set(NAMES[name], value);
  }

  /** The same value again undoes it. */
  toggle(name, value) {
    this.choose(name, this.filter[name] === value ? "" : value);
  }

  flagged(only) {
    place.set("flagged", only ? "yes" : "");
  }

  get narrowed() {
    const { text, states, queue, team, tag, flagged } = this.filter;
    return Boolean(text || states.size || queue || team || tag || flagged);
  }

  /** Undo every filter; order, view and columns stay. */
  clear() {
    place.update(Object.fromEntries(FILTERS.map((name) => [name, ""])));
  }
}

/** How this reader likes it. */
function liked() {
  const { view = "cards", sort = "team" } = prefs.get("view", {});
  return { view, sort, columns: prefs.get("columns", []) };
}

/** As the address says it; what is usual is left out, except the view. */
function written({ view, sort, columns }) {
  const usual = columns.length === 0 || columns.join() === DEFAULT_COLUMNS.join();
  return { view, sort: sort === "team" ? "" : sort, columns: usual ? "" : columns.join() };
}
