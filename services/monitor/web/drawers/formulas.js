// Every service level in use, by name, with its value of the day and what it counts.

import { fill, h } from "/static/shared/dom.js";
import { number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";

const FORMULAS = ["F1", "F2", "F3", "F3s", "F4", "F5"];

export class Formulas {
  constructor() {
    this.node = h("div", { class: "stack" });
  }

  draw(queue) {
    const { service_level: own, service_levels: values } = queue;
    const mark = JSON.stringify([own, values]);
    if (mark === this.mark) return;
    this.mark = mark;
    const terms = t("drawer.formulas.terms", { within: number(own.within_s), short: number(own.short_abandon_s), target: percent(own.target) });
    const rows = FORMULAS.map((name) => {
      const isOwn = name === own.formula;
      const value = h("td", { class: "num", text: percent(values[name] ?? null) });
      const said = h("td", {}, t(`drawer.formula.${name}`), isOwn ? h("strong", { text: ` ${t("drawer.formula.own")}` }) : null);
      return h("tr", { data: { tone: isOwn ? "total" : "" } }, h("th", { scope: "row", text: name }), value, said);
    });
    const caption = h("caption", { class: "visually-hidden", text: t("drawer.formulas") });
    fill(this.node, h("table", { class: "drawer-table formulas" }, caption, h("tbody", {}, rows)), h("p", { class: "drawer-note", text: terms }));
  }
}
