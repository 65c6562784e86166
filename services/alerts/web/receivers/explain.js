// "Who would be told?": labels in, the course out, as if nobody did anything. Nothing is told to anybody.

import { api } from "/static/shared/api.js";
import codes from "/static/shared/codes/strings.js";
import { fill, h } from "/static/shared/dom.js";
import { clock, dateTime } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { holder, reasonText } from "../detail/entries.js";
import { siteName } from "../sites.js";
import { inUnits } from "../spans.js";
import { ruleName, severityBadge } from "../words.js";

const FIELDS = ["site", "rule", "queue", "team"];
const LISTED = new Set(["site", "rule"]);

export class Explain {
  constructor() {
    this.values = Object.fromEntries(FIELDS.map((name) => [name, ""]));
    this.found = null;
    this.sites = h("datalist", { id: "explain-sites" });
    this.node = h("div", { class: "stack" });
  }

  /** The sites to choose from. */
  offer(sites) {
    fill(this.sites, sites.map((site) => h("option", { value: site, text: siteName(site) })));
  }

  draw() {
    const rules = Object.keys(codes.en).filter((key) => key.startsWith("rule.")).map((key) => key.slice(5));
    const inputs = FIELDS.map((name) => {
      const input = h("input", { class: "input", value: this.values[name], list: LISTED.has(name) ? `explain-${name}s` : null, maxlength: 200, autocomplete: "off", spellcheck: "false" });
      input.addEventListener("input", () => (this.values[name] = input.value.trim()));
      return h("label", { class: "field" }, h("span", { text: t(`explain.${name}`) }), input);
    });
    const form = h("form", { class: "explain-form" }, inputs, h("button", { class: "button", type: "submit", text: t("explain.ask") }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.answer = h("div", { class: "stack", "aria-live": "polite" });
    fill(this.node, form, h("datalist", { id: "explain-rules" }, rules.map((rule) => h("option", { value: rule, text: ruleName(rule) }))), this.sites, this.answer);
    this.#show();
  }

  async #ask() {
    const labels = Object.fromEntries(Object.entries(this.values).filter(([, value]) => value));
    try {
      this.found = await api.post("/api/v1/routing/explain", { labels });
    } catch (error) {
      this.found = { refused: error.detail || error.message };
    }
    this.#show();
  }

  #show() {
    if (!this.found) return;
    const { refused, courses = [], hidden_by: hidden, time_zone: zone } = this.found;
    if (refused) return fill(this.answer, h("p", { class: "problem", role: "alert", text: refused }));
    const hides = [...(hidden?.silences ?? []), ...(hidden?.incidents ?? []).map((n) => `incident ${n}`)].map((by) => holder(by).textContent);
    fill(this.answer, hides.length > 0 && h("p", { class: "problem", text: t("explain.hidden", { by: hides.join(", ") }) }), h("div", { class: "courses" }, courses.map((one) => course(one, zone))));
  }
}

function course({ severity, steps, routes }, zone) {
  return h(
    "div",
    { class: "course stack" },
    h("div", { class: "row" }, severityBadge(severity), h("span", { class: "muted small", text: routes.map((route) => route.path || t("routes.rest")).join(" · ") })),
    steps.length ? h("ol", { class: "course-steps" }, steps.map((one) => step(one, zone))) : h("p", { class: "muted", text: t("explain.nobody") }),
  );
}

function step(one, zone) {
  const who = one.receivers.join(", ") || t("routes.nobody");
  return h(
    "li",
    {},
    h("span", { class: "num", text: one.after_s ? t("explain.after", { after: inUnits(one.after_s) }) : t("wait.once") }),
    h("strong", { text: who }),
    h("span", { class: "muted", text: `${reasonText(one.reason)}${one.times > 1 ? ` · ${t("explain.times", { n: one.times, every: inUnits(one.every_s) })}` : ""}` }),
    h("time", { class: "muted small", datetime: one.at, title: dateTime(one.at, zone), text: clock(one.at, zone) }),
  );
}
