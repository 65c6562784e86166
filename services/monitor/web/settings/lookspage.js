// Language, theme, and where to find what is chosen elsewhere.

import { h } from "/static/shared/dom.js";
import { LANGUAGES, language, setLanguage, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { setTheme, theme, THEMES } from "/static/shared/theme.js";

/** The page: {nodes}. */
export function looksPage(board, dialog) {
  const languages = Object.entries(LANGUAGES).map(([code, name]) => segment(name, code === language(), () => setLanguage(code), { lang: code }));
  const themes = THEMES.map((name) =>
    segment([icon(name), " ", t(`settings.theme.${name}`)], name === theme(), () => {
      setTheme(name);
      dialog.draw();
    }),
  );
  const hall = h("a", { href: hallAddress(board), target: "_blank", rel: "noopener" }, t("settings.hall.open"));
  return {
    nodes: [
      row(t("language.label"), group(t("language.label"), languages)),
      row(t("theme.label"), group(t("theme.label"), themes)),
      row(t("settings.columns"), columnsButton(board, dialog), t("settings.columns.meaning")),
      row(t("settings.hall"), hall, t("settings.hall.meaning")),
    ],
  };
}

/** The hall's screen for what is shown here. */
function hallAddress(board) {
  const site = board.site();
  return site ? `/hall?site=${encodeURIComponent(site)}` : "/hall";
}

function segment(content, pressed, choose, attributes = {}) {
  return h("button", { type: "button", "aria-pressed": String(pressed), on: { click: choose }, ...attributes }, content);
}

function group(name, buttons) {
  return h("div", { class: "segments", role: "group", "aria-label": name }, buttons);
}

function row(name, control, note = "") {
  return h("div", { class: "looks-row" }, h("span", { class: "looks-name" }, name), h("div", { class: "stack" }, control, note && h("p", { class: "muted settings-note" }, note)));
}

/** Columns are chosen beside the list that they are of. */
function columnsButton(board, dialog) {
  const button = h("button", { class: "button", type: "button" }, icon("rows"), t("settings.columns.open"));
  button.addEventListener("click", () => {
    const { view, tools } = board.agents;
    dialog.dialog.close();
    view.like({ view: "rows" });
    requestAnimationFrame(() => tools.columns.box.showPopover()); // once its button is there to stand beside
  });
  button.disabled = board.isEmpty();
  return button;
}
