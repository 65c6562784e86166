// Listen, whisper, barge: nobody speaks into a call without having been told who will hear them.

import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { may } from "/static/shared/me.js";
import { troubleWords } from "./sound/support.js";
import { refusalText } from "./words.js";

const MODES = ["listen", "whisper", "barge"];

export class Modes {
  /** `allowed(item)` -> the modes that the site's policy lets this reader use. */
  constructor(deck, allowed) {
    Object.assign(this, { deck, allowed, asked: "", refusal: "" });
    this.buttons = MODES.map((mode) => h("button", { type: "button", data: { mode }, on: { click: () => this.choose(mode) } }));
    this.group = h("div", { class: "segments", role: "group" }, this.buttons);
    this.shape = icon("microphone");
    this.word = h("span");
    this.peak = h("span", { class: "mic-peak" });
    this.microphone = h("span", { class: "mic-state" }, this.shape, this.word, h("span", { class: "mic-track", "aria-hidden": "true" }, this.peak));
    this.warning = h("p");
    this.yes = h("button", { class: "button primary", type: "button", on: { click: () => this.#go(this.asked) } });
    this.no = h("button", { class: "button", type: "button", on: { click: () => this.cancel() } });
    this.ask = h("div", { class: "notice mode-ask", role: "alertdialog", data: { tone: "critical" }, hidden: true }, icon("warning"), h("div", { class: "stack" }, this.warning, h("div", { class: "row" }, this.yes, this.no)));
    this.ask.addEventListener("keydown", (event) => this.#askKey(event));
    this.trouble = h("p", { class: "mode-trouble", role: "alert", hidden: true });
    this.node = h("section", { class: "modes" }, h("div", { class: "modes-line" }, this.group, this.microphone), this.ask, this.trouble);
  }

  update() {
    const { item } = this.deck;
    const modes = item ? this.#modesOf(item) : [];
    setHidden(this.node, modes.length < 2);
    if (this.node.hidden) return;
    if (this.item !== item || !item.isOpen) {
      const asking = this.ask.contains(document.activeElement);
      Object.assign(this, { item, asked: "", refusal: item === this.item ? this.refusal : "" });
      if (asking) this.buttons[0].focus(); // what was asked is no question any more
    }
    setAttr(this.group, "aria-label", t("listen.mode"));
    for (const button of this.buttons) {
      const { mode } = button.dataset;
      setHidden(button, !modes.includes(mode));
      setAttr(button, "aria-disabled", String(!item.isOpen || Boolean(item.wantedMode))); // one that was disabled would lose the focus
      setText(button, t(`listen.mode.${mode}`));
      setAttr(button, "aria-pressed", String((item.wantedMode || item.mode) === mode));
      setAttr(button, "title", t(`listen.mode.${mode}.hint`));
    }
    this.#drawAsk();
    this.#drawMicrophone(item);
    const said = this.refusal || (item.fell ? t("listen.mode.fell") : "");
    setHidden(this.trouble, !said);
    setText(this.trouble, said);
  }

  #modesOf(item) {
    return may("calls.speak") ? this.allowed(item) : ["listen"];
  }

  #drawAsk() {
    const { asked } = this;
    setHidden(this.ask, !asked);
    if (!asked) return;
    setData(this.ask, "tone", asked === "barge" ? "critical" : "warning");
    setAttr(this.ask, "aria-label", t(`listen.mode.${asked}`));
    setText(this.warning, t(`listen.mode.${asked}.warning`));
    setText(this.yes, t(`listen.mode.${asked}.yes`));
    setText(this.no, t(this.deck.item.mode === "listen" ? "listen.mode.no" : "listen.mode.stay"));
  }

  #drawMicrophone(item) {
    const { microphone, mode, speaking } = item;
    const refused = microphone.startsWith("mic_");
    const state = refused ? "refused" : microphone === "asking" ? "asking" : microphone !== "on" ? "off" : mode === "listen" || !speaking ? "wait" : mode;
    setData(this.microphone, "tone", state === "barge" ? "critical" : ["whisper", "wait"].includes(state) ? "warning" : "quiet");
    setIcon(this.shape, "microphone");
    setText(this.word, refused ? troubleWords(microphone).title : t(`listen.mic.${state}`));
    this.tick();
  }

  tick() {
    const { item } = this.deck;
    const on = item?.microphone === "on";
    setHidden(this.peak.parentElement, !on);
    if (on) this.peak.style.transform = `scaleX(${Math.min(1, item.microphonePeak).toFixed(2)})`;
  }

  /** To a mode, after a warning if somebody will hear it. */
  choose(mode) {
    const { item } = this.deck;
    if (this.asked && item?.mode === mode) this.cancel();
    if (!item?.isOpen || item.wantedMode || item.mode === mode || !this.#modesOf(item).includes(mode)) return;
    this.refusal = "";
    if (mode === "listen") {
      this.#go(mode);
      return;
    }
    this.asked = mode;
    this.update();
    this.no.focus(); // who presses Enter without reading speaks to nobody
  }

  /** Tab stays with the question, as it does in every dialog; Escape is the harmless answer. */
  #askKey(event) {
    if (event.key === "Tab") {
      event.preventDefault();
      (event.target === this.no ? this.yes : this.no).focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.cancel();
    }
  }

  /** To the next of the modes. */
  cycle() {
    const { item } = this.deck;
    if (!item?.isOpen) return;
    const modes = this.#modesOf(item);
    this.choose(modes[(modes.indexOf(this.asked || item.mode) + 1) % modes.length]);
  }

  cancel() {
    this.asked = "";
    this.update();
    this.#focusOn(this.deck.item.mode);
  }

  #focusOn(mode) {
    this.buttons.find((button) => button.dataset.mode === mode)?.focus();
  }

  async #go(mode) {
    const { item } = this.deck;
    if (this.asked) this.#focusOn(mode);
    this.asked = "";
    try {
      await item.switchMode(mode);
    } catch (error) {
      if (error.name === "MicrophoneRefused") this.refusal = Object.values(troubleWords(error.code)).join(". ");
      else if (error.name === "ApiError") this.refusal = refusalText(error);
      else throw error;
    } finally {
      this.update();
    }
  }
}

