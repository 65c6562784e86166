// Which keys do something, on this page and in an incident that is open.

import { h } from "/static/shared/dom.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { popup } from "/static/shared/popup.js";
import { KEYS } from "./keys.js";

/** A button and its box for the top bar's tools; `further`: [key, key of its words] of the detail. */
export function help(further = []) {
  const found = popup({
    id: "help",
    shape: "legend",
    draw: () => [
      h("h3", { text: t("help.list") }),
      h("dl", { class: "keys" }, KEYS.map(([keys, name]) => [h("dt", {}, keys.map((key) => h("kbd", { text: key }))), h("dd", { text: t(`help.${name}`) })])),
      further.length > 0 && h("h3", { text: t("help.detail") }),
      further.length > 0 && h("dl", { class: "keys" }, further.map(([key, words]) => [h("dt", {}, h("kbd", { text: key })), h("dd", { text: t(words) })])),
    ],
  });
  found.box.classList.add("help");
  found.box.tabIndex = -1; // focused once it is open, so that the arrow keys scroll it, and "?" closes it
  found.box.autofocus = true;
  found.button.classList.add("quiet");
  found.box.addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    event.stopPropagation();
    found.box.hidePopover();
  });
  const name = () => {
    found.label(t("help.title"));
    found.redraw();
  };
  onLanguage(name);
  name();
  return { nodes: [found.button, found.box], open: () => found.box.showPopover() };
}
