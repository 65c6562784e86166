// Which keys do something, and what this page means by its words: one click, or "?", away.

import { fill, h, setAttr } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { KEYS } from "../keys.js";

const MEANT = ["hearing", "hop", "alone", "claim", "covered"];

/** Put the button into `tools`; returns {open, render}. */
export function installHelp(tools) {
  const button = h("button", { class: "button quiet icon-only", type: "button", popovertarget: "listen-help" }, icon("legend"));
  const box = h("div", { class: "listen-help", id: "listen-help", popover: "auto", role: "dialog", tabindex: "-1", autofocus: true });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    event.stopPropagation();
    box.hidePopover();
  });
  tools.append(button, box);
  function render() {
    for (const node of [button, box]) setAttr(node, "aria-label", t("listen.help"));
    setAttr(button, "title", t("listen.help"));
    fill(
      box,
      h("section", {}, h("h3", { text: t("listen.help.keys") }), h("dl", { class: "help-keys" }, KEYS.map(([keys, does]) => [h("dt", {}, keys.map((key) => h("kbd", { text: key }))), h("dd", { text: t(`listen.key.${does}`) })]))),
      h("section", {}, h("h3", { text: t("listen.help.meant") }), h("dl", { class: "help-meant" }, MEANT.map((word) => [h("dt", { text: t(`listen.meant.${word}`) }), h("dd", { text: t(`listen.meant.${word}.is`) })]))),
    );
  }
  render();
  return { open: () => box.showPopover(), render };
}
