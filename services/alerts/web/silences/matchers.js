// Which incidents a silence is about: for each label the values it must have, as chips, or must not have.

import { fill, h, setAttr } from "/static/shared/dom.js";
import { known, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { siteName } from "../sites.js";
import { ruleName } from "../words.js";

const LABELS = ["site", "rule", "severity", "queue", "team", "agent", "subject", "subject_id", "simulated"];
const VALUES = { severity: ["critical", "warning", "info"], subject: ["agent", "call", "transfer", "queue", "site"], simulated: ["yes", "no"] };
const NAME = /^[a-z_][a-z0-9_]{0,63}$/;

/** As the API takes them: {label: value | [values]}, "!" before each for all but these. */
export function written(rows) {
  return Object.fromEntries(
    rows.filter(({ label, values }) => label && values.length).map(({ label, values, not }) => {
      const all = values.map((value) => (not ? `!${value}` : value));
      return [label, all.length === 1 ? all[0] : all];
    }),
  );
}

/** The other way round; also as a silence has them, [{label, values, negated}]. */
export function rowsOf(matchers) {
  if (Array.isArray(matchers)) return matchers.map(({ label, values, negated }) => ({ label, values: [...values], not: negated }));
  return Object.entries(matchers).map(([label, found]) => {
    const values = [found].flat();
    return { label, values: values.map((value) => value.replace(/^!/, "")), not: values.every((value) => value.startsWith("!")) };
  });
}

/** A value as people read it: a rule, a severity and a site by their name. */
export function valueText(label, value) {
  if (label === "rule") return ruleName(value);
  if (label === "site") return siteName(value);
  if (label === "severity" && known(`severity.${value}`)) return t(`severity.${value}`);
  if (label === "simulated" && known(`matcher.${value}`)) return t(`matcher.${value}`);
  return value || t("matcher.empty");
}

export const labelText = (label) => (known(`label.${label}`) ? t(`label.${label}`) : label);

/** Matchers to read: one chip for each label. */
export function matcherChips(matchers) {
  return h(
    "ul",
    { class: "matcher-chips" },
    rowsOf(matchers).map(({ label, values, not }) =>
      h("li", { class: "chip", title: values.join(", ") }, h("span", { class: "muted", text: labelText(label) }), h("span", { class: not ? "not" : "", text: not ? t("matcher.is_not") : t("matcher.is") }), h("strong", { text: values.map((value) => valueText(label, value)).join(t("matcher.or")) })),
    ),
  );
}

/** The same as plain text, to see whether a name has come that was not known. */
export const matchersText = (matchers) => rowsOf(matchers).map(({ label, values }) => values.map((value) => valueText(label, value)).join()).join();

export class MatcherEditor {
  /** `onChange(rows)` after each change. `suggestions`: {label: [values]} to choose from; `offered`: [label, value] to add with a click. */
  constructor({ onChange }) {
    Object.assign(this, { onChange, rows: [], suggestions: { ...VALUES }, offered: [] });
    this.list = h("div", { class: "matchers" });
    this.offers = h("div", { class: "row matcher-offers" });
    this.lists = h("div", { hidden: true });
    this.node = h("div", { class: "stack", role: "group", "aria-label": t("silence.matchers") }, this.list, this.offers, this.lists);
    this.#draw();
  }

  set(rows, offered = []) {
    this.rows = rows;
    this.offered = offered;
    this.#draw();
  }

  suggest(more) {
    for (const [label, values] of Object.entries(more)) this.suggestions[label] = [...new Set([...(this.suggestions[label] ?? []), ...values])].filter(Boolean).sort();
    this.#drawLists();
  }

  /** What is wrong with what is written, as a key of its words; "" when nothing is. */
  wrong() {
    if (!this.rows.some(({ label, values }) => label && values.length)) return "silence.matchers.missing";
    if (this.rows.some(({ label }) => label && !NAME.test(label))) return "silence.matchers.label";
    const labels = this.rows.map(({ label }) => label).filter(Boolean);
    return new Set(labels).size < labels.length ? "silence.matchers.twice" : "";
  }

  focus() {
    (this.list.querySelector(".matcher-value") ?? this.list.querySelector("input"))?.focus();
  }

  #changed(focus) {
    this.#draw();
    if (focus) this.list.querySelector(focus)?.focus();
    this.onChange(this.rows);
  }

  #draw() {
    if (!this.rows.length) this.rows.push({ label: "site", values: [], not: false });
    fill(
      this.list,
      this.rows.map((row, index) => this.#row(row, index)),
      h("button", { class: "button quiet matcher-add", type: "button", text: t("matcher.add"), on: { click: () => this.#add() } }),
    );
    const used = new Set(this.rows.map(({ label }) => label));
    const open = this.offered.filter(([label]) => !used.has(label));
    fill(
      this.offers,
      open.length > 0 && h("span", { class: "muted small", text: t("matcher.offered") }),
      open.map(([label, value]) =>
        h("button", { class: "button chip-button", type: "button", text: `+ ${labelText(label)}: ${valueText(label, value)}`, on: { click: () => this.#add(label, value) } }),
      ),
    );
    this.#drawLists();
  }

  #add(label = LABELS.find((name) => !this.rows.some((row) => row.label === name)) ?? "", value = "") {
    this.rows = [...this.rows.filter((row) => row.label && (row.values.length || !value)), { label, values: value ? [value] : [], not: false }];
    this.#changed(`[data-row="${this.rows.length - 1}"] .matcher-value`);
  }

  #row(row, index) {
    const label = this.#label(row, index);
    const not = h("button", { class: "button matcher-not", type: "button", "aria-pressed": String(row.not), text: row.not ? t("matcher.is_not") : t("matcher.is"), title: t("matcher.turn") });
    not.addEventListener("click", () => {
      row.not = !row.not;
      this.#changed(`[data-row="${index}"] .matcher-not`);
    });
    const remove = h("button", { class: "button quiet icon-only", type: "button", "aria-label": t("matcher.remove", { label: labelText(row.label) }) }, icon("close"));
    remove.addEventListener("click", () => {
      this.rows.splice(index, 1);
      this.#changed(".matcher-value");
    });
    return h("div", { class: "matcher", data: { row: index } }, label, not, this.#values(row, index), remove);
  }

  /** One of the usual labels, or any other by its name. */
  #label(row, index) {
    const usual = row.label === "" || LABELS.includes(row.label);
    const options = LABELS.map((name) => h("option", { value: name, text: labelText(name), selected: name === row.label }));
    const node =
      usual && !row.other
        ? h("select", { class: "select matcher-label", "aria-label": t("matcher.label") }, options, h("option", { value: "*", text: t("matcher.other") }))
        : h("input", { class: "input matcher-label", value: row.label, "aria-label": t("matcher.label"), placeholder: t("matcher.label"), autocomplete: "off", spellcheck: "false", maxlength: 64 });
    node.addEventListener("change", () => {
      row.other = node.value === "*" || !LABELS.includes(node.value);
      row.label = node.value === "*" ? "" : node.value.trim().toLowerCase();
      this.#changed(`[data-row="${index}"] .${row.label ? "matcher-value" : "matcher-label"}`);
    });
    return node;
  }

  #values(row, index) {
    const input = h("input", { class: "matcher-value", list: `matcher-values-${row.label}`, "aria-label": t("matcher.value", { label: labelText(row.label) }), placeholder: row.values.length ? "" : t("matcher.value.hint"), autocomplete: "off", spellcheck: "false", maxlength: 200 });
    const here = `[data-row="${index}"] .matcher-value`;
    const take = () => {
      const value = input.value.trim().replace(/,$/, "");
      if (!value) return;
      if (!row.values.includes(value)) row.values.push(value);
      this.#changed(document.activeElement === input ? here : ""); // whoever has left it stays where they went
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === ",") {
        event.preventDefault();
        take();
      } else if (event.key === "Backspace" && !input.value && row.values.length) {
        row.values.pop();
        this.#changed(here);
      }
    });
    input.addEventListener("change", take); // chosen from the list, or left
    return h(
      "div",
      { class: "matcher-values", on: { click: (event) => event.target === event.currentTarget && input.focus() } },
      row.values.map((value) => {
        const drop = h("button", { type: "button", "aria-label": t("matcher.drop", { value }) }, icon("close"));
        drop.addEventListener("click", () => {
          row.values = row.values.filter((one) => one !== value);
          this.#changed(here);
        });
        const words = valueText(row.label, value);
        return h("span", { class: "chip", title: value }, words === value ? value : `${words} (${value})`, drop);
      }),
      input,
    );
  }

  #drawLists() {
    const option = (value, text) => h("option", { value, text: text === value ? "" : text });
    fill(
      this.lists,
      Object.entries(this.suggestions).map(([label, values]) => h("datalist", { id: `matcher-values-${label}` }, values.map((value) => option(value, valueText(label, value))))),
    );
  }
}

/** From an incident: what it should be about, and which further labels it has to choose from. */
export function fromIncident(incident) {
  const { labels, subject } = incident;
  const who = { agent: "agent", transfer: "agent", queue: "queue", call: "queue" }[subject];
  const rows = [
    ["site", incident.site],
    ["rule", incident.rule],
    ...(who && labels[who] ? [[who, labels[who]]] : []),
  ].map(([label, value]) => ({ label, values: [value], not: false }));
  const further = { severity: incident.severity, queue: labels.queue, team: labels.team, agent: labels.agent, subject_id: incident.subject_id };
  const offered = Object.entries(further).filter(([label, value]) => value && !rows.some((row) => row.label === label));
  return { rows, offered };
}
