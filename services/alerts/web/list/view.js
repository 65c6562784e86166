// What the list shows, as the address has it, so that a link shows the same: which incidents, narrowed by what, grouped how.

import { place } from "/static/shared/place.js";

export const VIEWS = { unresolved: ["open", "acknowledged"], resolved: ["resolved"], all: ["open", "acknowledged", "resolved"] };
export const SEVERITIES = ["critical", "warning", "info"];
export const GROUPS = ["severity", "site", "none"];
export const OWNERS = ["mine", "nobody"];
export const HELD = ["no", "yes"];

const NARROWING = ["state", "severity", "site", "rule", "owner", "held", "q"];
const ALL = ["view", "group", ...NARROWING];
const list = (text, known) => text.split(",").filter((one) => known.includes(one));
const one = (text, known) => (known.includes(text) ? text : "");

export class View {
  /** `onChange()` after each change, by whom ever: a control, a key, "back". */
  constructor(onChange) {
    this.#read();
    place.on((changed) => {
      if (!ALL.some((name) => changed.has(name))) return;
      this.#read();
      onChange();
    });
  }

  #read() {
    this.view = one(place.get("view"), Object.keys(VIEWS)) || "unresolved";
    this.group = one(place.get("group"), GROUPS) || "severity";
    this.states = list(place.get("state"), VIEWS[this.view]);
    this.severities = list(place.get("severity"), SEVERITIES);
    this.site = place.get("site");
    this.rule = place.get("rule");
    this.owner = one(place.get("owner"), OWNERS);
    this.held = one(place.get("held"), HELD);
    this.text = place.get("q");
  }

  /** Which incidents; what narrows them stays as far as it means something there. */
  show(view) {
    place.update({ view: view === "unresolved" ? "" : view, state: "" });
  }

  groupBy(group) {
    place.set("group", group === "severity" ? "" : group);
  }

  /** Text as it is typed is one step of the address, not one for each letter. */
  search(text) {
    place.set("q", text, { replace: true });
  }

  /** `name`: site, rule, owner, held; "" for any. */
  choose(name, value) {
    place.set(name, value);
  }

  /** `name`: state, severity, of which there may be several. */
  toggle(name, value) {
    const chosen = new Set(name === "state" ? this.states : this.severities);
    if (!chosen.delete(value)) chosen.add(value);
    place.set(name, [...chosen].join());
  }

  get narrowed() {
    return NARROWING.some((name) => place.get(name));
  }

  clear() {
    place.update(Object.fromEntries(NARROWING.map((name) => [name, ""])));
  }
}
