// What narrows the list, each choice with how many incidents it would leave.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { siteChoice } from "../sites.js";
import { ruleName } from "../words.js";
import { GROUPS, OWNERS, SEVERITIES, VIEWS } from "./view.js";

export class Filters {
  constructor(root, view) {
    this.view = view;
    this.views = segments(Object.keys(VIEWS), (name) => view.show(name));
    this.severities = segments(SEVERITIES, (name) => view.toggle("severity", name), (name) => icon(name));
    this.states = segments(["open", "acknowledged"], (name) => view.toggle("state", name));
    this.owners = segments(OWNERS, (name) => view.choose("owner", view.owner === name ? "" : name));
    this.held = segments(["no", "yes"], (name) => view.choose("held", view.held === name ? "" : name));
    this.site = select(() => view.choose("site", this.site.value));
    this.rule = select(() => view.choose("rule", this.rule.value));
    this.group = select(() => view.groupBy(this.group.value));
    this.search = h("input", { class: "input search", type: "search", maxlength: 200, "aria-keyshortcuts": "/" });
    this.search.addEventListener("input", () => view.search(this.search.value));
    this.clear = h("button", { class: "button quiet", type: "button", on: { click: () => view.clear() } });
    this.groupLabel = h("span");
    fill(
      root,
      h("div", { class: "filter-row" }, this.views.node, this.search, this.clear, h("label", { class: "filter-group" }, this.groupLabel, this.group)),
      h("div", { class: "filter-row" }, this.severities.node, this.states.node, this.owners.node, this.held.node, this.site, this.rule),
    );
    onLanguage(() => this.#name());
    this.#name();
  }

  #name() {
    for (const [part, key] of [
      [this.views.node, "view.label"],
      [this.severities.node, "filter.severity"],
      [this.states.node, "filter.state"],
      [this.owners.node, "filter.owner"],
      [this.held.node, "filter.held"],
      [this.site, "filter.site"],
      [this.rule, "filter.rule"],
      [this.group, "filter.group"],
    ]) {
      setAttr(part, "aria-label", t(key));
    }
    setAttr(this.search, "aria-label", t("filter.search"));
    setAttr(this.search, "placeholder", t("filter.search"));
    setText(this.clear, t("filter.clear"));
    setText(this.groupLabel, t("filter.group"));
    options(this.group, GROUPS.map((name) => [name, t(`group.${name}`)]), this.view.group);
    this.counts = null;
  }

  /** `counts` as narrow.js gives them, or null where not everything is here; `totals`: {view: number} as far as they are known. */
  draw({ counts, totals }) {
    const { view } = this;
    const many = (name, value) => (counts ? (counts[name][value] ?? 0) : null);
    this.views.draw((name) => [t(`view.${name}`), totals[name] ?? null, view.view === name]);
    this.severities.draw((name) => [t(`severity.${name}`), many("severity", name), view.severities.includes(name)]);
    this.states.draw((name) => [t(`incident.${name}`), many("state", name), view.states.includes(name)]);
    this.owners.draw((name) => [t(`owner.${name}`), many("owner", name), view.owner === name]);
    this.held.draw((name) => [t(`filter.held.${name}`), many("held", name), view.held === name]);
    setHidden(this.states.node, view.view === "resolved");
    setHidden(this.owners.node, view.view === "resolved");
    setHidden(this.held.node, view.view !== "unresolved");
    this.#choices(this.site, "site", counts, view.site, siteChoice);
    this.#choices(this.rule, "rule", counts, view.rule, ruleName);
    if (this.search.value !== view.text && document.activeElement !== this.search) this.search.value = view.text;
    if (this.group.value !== view.group) this.group.value = view.group;
    setHidden(this.clear, !view.narrowed);
  }

  #choices(node, name, counts, chosen, words) {
    const found = counts ? Object.entries(counts[name]) : [];
    if (chosen && !found.some(([value]) => value === chosen)) found.push([chosen, counts ? 0 : null]);
    const named = found.map(([value, many]) => [value, words(value), many]).sort((a, b) => a[1].localeCompare(b[1]));
    options(node, [["", t(`filter.${name}.any`)], ...named.map(([value, word, many]) => [value, many === null ? word : `${word} (${many})`])], chosen);
    setData(node, "chosen", chosen ? "yes" : "");
    setHidden(node, named.length < 2 && !chosen);
  }
}

function segments(names, onClick, shape = () => null) {
  const buttons = names.map((name) => {
    const word = h("span");
    const count = h("span", { class: "count" });
    const button = h("button", { type: "button", data: { name }, on: { click: () => onClick(name) } }, shape(name), word, count);
    Object.assign(button, { word, count });
    return button;
  });
  return {
    node: h("div", { class: "segments", role: "group" }, buttons),
    /** `of(name)` -> [word, count or null, pressed] */
    draw(of) {
      for (const button of buttons) {
        const [word, many, pressed] = of(button.dataset.name);
        setText(button.word, word);
        setText(button.count, many ?? "");
        setHidden(button.count, many === null);
        setAttr(button, "aria-pressed", String(pressed));
      }
    },
  };
}

const select = (onChange) => h("select", { class: "select", on: { change: onChange } });

/** Only what is otherwise is touched: an open list must not close because a count grew. */
function options(node, wanted, chosen) {
  const written = JSON.stringify(wanted);
  if (node.written !== written && document.activeElement !== node) {
    node.written = written;
    fill(node, wanted.map(([value, text]) => h("option", { value, text })));
  }
  if (node.value !== chosen) node.value = chosen;
}
