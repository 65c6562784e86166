// What the floor view shows and how: filters, order, cards or rows, columns. The address holds all of it, so that a link shows
// the same to whoever opens it; how somebody likes it is remembered for when they come without one.

import { onPrefs, prefs } from "/static/shared/prefs.js";
import { place } from "../place.js";
import { COLUMN, columnsOf, DEFAULT_COLUMNS } from "./columns.js";

export const VIEWS = ["cards", "rows"];
export const SORTS = ["team", "name", "attention"];

const LIKINGS = ["view", "sort", "columns"]; // what is remembered; what is searched for is not
const FILTERS = ["q", "states", "queue", "team", "tag", "flagged"];

const list = (text) => text.split(",").filter(Boolean);
const isSort = (sort) => SORTS.includes(sort) || COLUMN.has(sort.replace(/^-/, ""));

export class ViewState {
  /** `onChange()` after each change, by whom ever: a control, "back", another tab. */
  constructor(onChange) {
    this.filter = { text: "", states: new Set(), queue: "", team: "", tag: "", flagged: false, site: "" };
    this.linked = LIKINGS.some((name) => place.get(name)); // somebody's link: their view, and not ours
    this.#write({ replace: true });
    this.#read();
    place.on((changed) => {
      if (![...LIKINGS, ...FILTERS, "site"].some((name) => changed.has(name))) return;
      this.#read();
      onChange();
    });
    onPrefs((key) => {
      if (this.linked || !["view", "columns"].includes(key)) return;
      this.#write({ replace: true });
    });
  }

  /** Put into the address what is liked, where it says nothing; always the view, so that every address is a whole one. */
  #write(options) {
    const { view = "cards", sort = "team" } = prefs.get("view", {});
    const columns = prefs.get("columns", []);
    const wanted = this.linked
      ? { view: place.get("view") || "cards" }
      : { view, sort: sort === "team" ? "" : sort, columns: isDefault(columns) ? "" : columns.join() };
    place.update(wanted, options);
  }

  #read() {
    const { filter } = this;
    this.view = VIEWS.includes(place.get("view")) ? place.get("view") : "cards";
    this.sort = isSort(place.get("sort")) ? place.get("sort") : "team";
    this.columns = columnsOf(list(place.get("columns")));
    filter.text = place.get("q");
    filter.states = new Set(list(place.get("states")));
    for (const name of ["queue", "team", "tag"]) filter[name] = place.get(name);
    filter.flagged = place.get("flagged") === "yes";
  }

  /** Choose how it looks; remembered. {view, sort, columns: [ids]} */
  like(likings) {
    this.linked = true; // from now on the address says it, also when the server's answer comes later
    const { columns, ...rest } = likings;
    if (columns) prefs.set("columns", columns);
    if (Object.keys(rest).length) prefs.set("view", { view: this.view, sort: this.sort, ...rest });
    const sort = rest.sort ?? this.sort;
    const ids = columns ?? this.columns.map((column) => column.id);
    place.update({ view: rest.view ?? this.view, sort: sort === "team" ? "" : sort, columns: isDefault(ids) ? "" : ids.join() });
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
    place.set(name, value);
  }

  /** The same value again undoes it. */
  toggle(name, value) {
    place.set(name, this.filter[name] === value ? "" : value);
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

function isDefault(ids) {
  return ids.length === 0 || ids.join() === DEFAULT_COLUMNS.join();
}
