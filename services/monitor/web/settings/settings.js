// The settings: a dialog with a page each for limits, alarms and looks. What is chosen counts at once; there is no "save".

import { fill, h, setAttr, setText } from "/static/shared/dom.js";
import { onLanguage, t, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import alarmStrings from "../alarms/strings.js";
import { alarmPage } from "./alarmpage.js";
import { limitsPage } from "./limitspage.js";
import { looksPage } from "./lookspage.js";
import strings from "./strings.js";

useStrings(alarmStrings);
useStrings(strings);

const PAGES = { limits: limitsPage, alarms: alarmPage, looks: looksPage };

/** Put the button into `tools` and listen for its key; returns {open(page)}. */
export function installSettings(tools, board) {
  const button = h("button", { class: "button quiet icon-only settings-button", type: "button" }, icon("settings"));
  const dialog = new SettingsDialog(board);
  const render = () => {
    setAttr(button, "title", t("settings.open"));
    setAttr(button, "aria-label", t("settings.open"));
    dialog.draw();
  };
  button.addEventListener("click", () => dialog.open());
  document.addEventListener("keydown", (event) => {
    const elsewhere = event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key !== "," || elsewhere || typing || document.querySelector("dialog:modal")) return;
    event.preventDefault();
    dialog.open();
  });
  tools.append(button);
  onLanguage(render);
  render();
  return dialog;
}

class SettingsDialog {
  constructor(board) {
    Object.assign(this, { board, page: "limits", opened: null });
    this.title = h("h2");
    this.close = h("button", { class: "button quiet icon-only", type: "button", on: { click: () => this.dialog.close() } }, icon("close"));
    this.tabs = Object.keys(PAGES).map((name) => this.#tab(name));
    this.body = h("div", { class: "settings-body", role: "tabpanel", id: "settings-body" });
    const list = h("div", { class: "settings-tabs", role: "tablist", "aria-orientation": "vertical" }, this.tabs);
    list.addEventListener("keydown", (event) => this.#move(event));
    this.list = list;
    this.dialog = h(
      "dialog",
      { class: "settings" },
      h("header", { class: "settings-head" }, this.title, this.close),
      h("div", { class: "settings-main" }, list, this.body),
    );
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("close", () => this.#closed());
  }

  #tab(name) {
    const tab = h("button", { type: "button", role: "tab", id: `settings-tab-${name}`, "aria-controls": "settings-body", data: { page: name } });
    tab.addEventListener("click", () => this.#choose(name));
    return tab;
  }

  #choose(name) {
    this.page = name;
    this.draw();
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const names = Object.keys(PAGES);
    this.#choose(names[(names.indexOf(this.page) + step + names.length) % names.length]);
    this.tabs[names.indexOf(this.page)].focus();
  }

  open(page = this.page) {
    this.page = page in PAGES ? page : "limits";
    if (!this.dialog.isConnected) document.body.append(this.dialog);
    this.opened = true;
    this.draw();
    if (!this.dialog.open) this.dialog.showModal();
  }

  #closed() {
    if (this.dialog.open) return; // opened again before this was told
    this.opened = null;
    this.stop?.();
    this.stop = null;
    this.dialog.remove();
  }

  /** Draw the chosen page anew; nothing while the dialog is closed. */
  draw() {
    if (!this.opened) return;
    setText(this.title, t("settings.title"));
    setAttr(this.dialog, "aria-label", t("settings.title"));
    setAttr(this.close, "aria-label", t("action.close"));
    setAttr(this.list, "aria-label", t("settings.title"));
    for (const tab of this.tabs) {
      const here = tab.dataset.page === this.page;
      setText(tab, t(`settings.${tab.dataset.page}`));
      setAttr(tab, "aria-selected", String(here));
      setAttr(tab, "tabindex", here ? "0" : "-1");
    }
    setAttr(this.body, "aria-labelledby", `settings-tab-${this.page}`);
    this.stop?.();
    const { nodes, stop = null } = PAGES[this.page](this.board, this);
    this.stop = stop;
    fill(this.body, nodes);
  }
}
