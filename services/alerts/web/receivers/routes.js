// The tree of routes as a table: what each takes, whom it tells, when, when again, and what if nobody acknowledges.

import { h } from "/static/shared/dom.js";
import { known, t } from "/static/shared/i18n.js";
import { spanOf } from "./spans.js";

const COLUMNS = ["match", "receiver", "wait", "repeat", "escalation", "schedule"];

export function routesView({ routes, raises, inhibit }) {
  return [
    h(
      "div",
      { class: "table-scroll" },
      h("table", { class: "routes" }, h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", text: t(`routes.${name}`) })))), h("tbody", {}, rows(routes, 0))),
    ),
    raises.length > 0 && list("routes.raises", raises.map((one) => t(one.after_s === null ? "routes.raise.flags" : "routes.raise.after", { match: one.match || t("routes.all"), to: severity(one.to), after: spanOf(one.after_s), n: one.flags }))),
    inhibit.length > 0 && list("routes.inhibit", inhibit.map((one) => t(one.equal.length ? "routes.inhibits" : "routes.inhibits.everywhere", { source: one.source, target: one.target || t("routes.all"), equal: one.equal.join(", ") }))),
  ];
}

const severity = (name) => (known(`severity.${name}`) ? t(`severity.${name}`) : name);

function list(title, lines) {
  return h("div", { class: "routes-more" }, h("h3", { text: t(title) }), h("ul", {}, lines.map((text) => h("li", { text }))));
}

function rows(route, depth) {
  const match = h("td", { class: "route-match" }, h("span", { text: route.match || t(depth ? "routes.all" : "routes.rest") }), route.continue && h("span", { class: "muted small", text: ` ${t("routes.goes_on")}` }));
  match.style.paddingInlineStart = `${0.75 + depth * 1.25}rem`;
  const steps = route.escalation.map((step) => t("routes.step", { after: spanOf(step.after_s), who: step.to.join(", ") }));
  return [
    h("tr", { data: { depth } }, match, h("td", { text: route.receiver || t("routes.nobody") }), h("td", { text: spanOf(route.wait_s) }), h("td", { text: spanOf(route.repeat_s) }), h("td", { text: steps.join("; ") || "–" }), h("td", { text: route.schedule || t("routes.always") })),
    ...route.routes.flatMap((below) => rows(below, depth + 1)),
  ];
}
