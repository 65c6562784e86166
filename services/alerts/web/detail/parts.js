// What the parts of the detail are made of.

import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { language, t } from "/static/shared/i18n.js";

/**
 * A section that is drawn anew only when what it shows has changed, so that a live update neither moves what one reads nor takes
 * the focus away. `pick(detail)`: what it shows, null to leave it out; `draw(picked, detail)`: its content; `count(picked)`.
 */
export function part(name, { title, pick, draw, count = () => "" }) {
  const number = h("span", { class: "part-count" });
  const heading = h("h3", { tabindex: "-1" }, h("span", { text: t(title) }), number);
  const body = h("div", { class: "stack part-body" });
  const node = h("section", { class: `part part-${name}`, "aria-label": t(title) }, heading, body);
  let shown = "";
  return {
    name,
    node,
    body,
    title,
    heading,
    show(detail) {
      const picked = pick(detail);
      setHidden(node, picked === null || picked === undefined);
      if (node.hidden) return;
      const wanted = JSON.stringify([picked, language()]);
      if (wanted === shown) return;
      shown = wanted;
      setText(number, String(count(picked)));
      fill(body, draw(picked, detail));
    },
    again() {
      shown = "";
    },
  };
}

/** [[word, text or node], …] as a list of facts; empty ones are left out. */
export function facts(rows) {
  return h(
    "dl",
    { class: "facts" },
    rows.filter(([, value]) => value).map(([word, value]) => [h("dt", { text: word }), h("dd", {}, value)]),
  );
}

export function link(href, ...content) {
  return h("a", { href }, content);
}

/** A link to another service's page, which opens beside this one. */
export function away(href, ...content) {
  return h("a", { href, target: "_blank", rel: "noopener" }, content);
}

export function badge(tone, text) {
  return h("span", { class: "badge", data: { tone } }, text);
}

export function field(key, input, more = null) {
  return h("label", { class: "field" }, h("span", { text: t(key) }), input, more);
}

/** Of very much the detail has the oldest and the newest; `total` says how many there are. */
export function leftOut(shown, total) {
  return shown < total && h("p", { class: "muted small", text: t("detail.left", { n: total - shown, total }) });
}

/** Something is wrong with what was asked: said where it was asked. */
export function problem(text) {
  return h("p", { class: "problem", role: "alert", text });
}

/** Choosing between a few; `chosen` is pressed. */
export function choice(label, options, chosen, onChoose) {
  return h(
    "div",
    { class: "segments", role: "group", "aria-label": label },
    options.map(([value, text]) =>
      h("button", { type: "button", data: { value }, "aria-pressed": String(value === chosen), text, on: { click: () => onChoose(value) } }),
    ),
  );
}
