// The caller's whole number, for those who may see it: with a purpose, and written down before it is shown.

import { api } from "/static/shared/api.js";
import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { NO_DATA } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { may, me } from "/static/shared/me.js";
import { failure } from "./fetched.js";

const PURPOSES = ["callback", "complaint", "fraud", "quality", "emergency"];
const SHOWN_MS = 60_000; // a number is not left on a screen

export class NumberReveal {
  /** `subject` = {site, call_id} or {site, transfer_id}. */
  constructor(subject) {
    this.subject = subject;
    this.ask = h("button", { class: "button", type: "button", text: t("drawer.reveal"), on: { click: () => this.#open(true) } });
    const options = PURPOSES.map((purpose) => h("option", { value: purpose, text: t(`drawer.purpose.${purpose}`) }));
    this.purpose = h("select", { class: "select", required: true }, h("option", { value: "", text: t("drawer.purpose.choose") }), options);
    const submit = h("button", { class: "button primary", type: "submit", text: t("drawer.reveal.do") });
    const cancel = h("button", { class: "button quiet", type: "button", text: t("drawer.cancel"), on: { click: () => this.#open(false) } });
    this.form = h(
      "form",
      { class: "reveal-form", hidden: true, on: { submit: (event) => this.#submit(event) } },
      h("p", { class: "drawer-note", text: t("drawer.reveal.recorded") }),
      h("label", { class: "field" }, h("span", { text: t("drawer.purpose") }), this.purpose),
      h("div", { class: "row" }, submit, cancel),
    );
    this.answer = h("p", { class: "reveal-answer", role: "status" });
    this.node = h("div", { class: "reveal", hidden: true }, this.ask, this.form, this.answer);
    me().then(
      () => setHidden(this.node, !may("numbers.reveal")),
      () => setHidden(this.node, true), // who it is could not be asked: then nobody may
    );
  }

  #open(open) {
    setHidden(this.form, !open);
    setHidden(this.ask, open);
    (open ? this.purpose : this.ask).focus();
  }

  async #submit(event) {
    event.preventDefault();
    try {
      const found = await api.post("/api/v1/numbers", { ...this.subject, purpose: this.purpose.value });
      this.#show(found);
    } catch (error) {
      if (error.name !== "ApiError") throw error;
      setText(this.answer, failure(error));
    }
    this.#open(false);
  }

  #show({ from_number: from, to_number: to }) {
    const line = (name, value) => [h("span", { class: "muted", text: `${name} ` }), h("strong", { class: "mono", text: value || NO_DATA }), " "];
    fill(this.answer, line(t("drawer.number.from"), from), to ? line(t("drawer.number.to"), to) : null);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => setText(this.answer, ""), SHOWN_MS);
  }

  destroy() {
    clearTimeout(this.timer);
    this.node.remove();
  }
}
