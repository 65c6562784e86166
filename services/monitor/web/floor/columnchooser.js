// Which columns the dense view has, and in which order.

import { h } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { COLUMNS, DEFAULT_COLUMNS } from "./columns.js";

/** The list to choose from; `view` {columns, like}, see viewstate.js. */
export function columnChooser(view) {
  const chosen = view.columns.map((column) => column.id);
  const rest = COLUMNS.map((column) => column.id).filter((id) => !chosen.includes(id));
  const like = (columns) => view.like({ columns });
  return [
    h("h3", {}, t("columns.title")),
    h("p", { class: "muted" }, t("columns.hint")),
    h("ul", { class: "column-list" }, [...chosen, ...rest].map((id) => line(id, chosen, like))),
    h("button", { class: "button", type: "button", data: { focus: "reset" }, on: { click: () => like(DEFAULT_COLUMNS) } }, t("columns.reset")),
  ];
}

function line(id, chosen, like) {
  const at = chosen.indexOf(id);
  const box = h("input", { type: "checkbox", checked: at >= 0, data: { focus: `show-${id}` } });
  if (chosen.length === 1 && at === 0) box.disabled = true; // a grid of nothing helps nobody
  box.addEventListener("change", () => like(box.checked ? [...chosen, id] : chosen.filter((one) => one !== id)));
  const step = (by, shape, word) => {
    const to = at + by;
    const button = h("button", {
      class: "button quiet icon-only",
      type: "button",
      disabled: at < 0 || to < 0 || to >= chosen.length,
      "aria-label": t(word, { column: t(`column.${id}`) }),
      data: { focus: `${shape}-${id}` },
    }, icon(shape));
    button.addEventListener("click", () => like(moved(chosen, at, to)));
    return button;
  };
  return h(
    "li",
    { class: "column-choice" },
    h("label", { title: t(`column.${id}.hint`) }, box, h("span", {}, t(`column.${id}`))),
    step(-1, "up", "columns.earlier"),
    step(1, "down", "columns.later"),
  );
}

function moved(ids, from, to) {
  const next = [...ids];
  next.splice(to, 0, ...next.splice(from, 1));
  return next;
}
