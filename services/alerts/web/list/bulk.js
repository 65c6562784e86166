// What is done to several incidents at once, and what became of it: the service says which it refused and why.

import { api } from "/static/shared/api.js";
import { fill, h, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { actorKnown, actorName, rememberName, signedIn } from "../actor.js";

const AT_ONCE = 200; // as many as the service takes in one question
const NAMED = 8; // of those refused; the rest is a number

export class Bulk {
  /** `list`; `source`: to which the answers go; `open(number)`. */
  constructor(root, { list, source, open }) {
    Object.assign(this, { list, source, open, busy: false, done: null });
    this.count = h("strong");
    this.name = h("input", { class: "input", name: "by", autocomplete: "name", maxlength: 80 });
    this.note = h("input", { class: "input bulk-note", name: "note", maxlength: 4000 });
    this.take = h("button", { class: "button primary", type: "submit" });
    this.clear = h("button", { class: "button quiet", type: "button", on: { click: () => list.selectAll(false) } });
    this.form = h("form", { class: "bulk", hidden: true }, this.count, this.name, this.note, this.take, this.clear);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.acknowledge();
    });
    this.result = h("div", { class: "bulk-result", role: "status" });
    fill(root, this.result, this.form);
    onLanguage(() => this.draw());
    actorKnown.then(() => this.draw());
  }

  draw() {
    const numbers = [...this.list.selection];
    const takeable = numbers.filter((number) => this.#takeable(number)).length;
    setHidden(this.form, !numbers.length);
    setText(this.count, t("bulk.selected", { n: numbers.length }));
    setHidden(this.name, signedIn());
    if (!this.name.value) this.name.value = actorName();
    for (const [node, key] of [
      [this.name, "bulk.name"],
      [this.note, "bulk.note"],
    ]) {
      setAttr(node, "placeholder", t(key));
      setAttr(node, "aria-label", t(key));
    }
    setText(this.take, this.busy ? t("bulk.busy") : takeable ? t("bulk.acknowledge", { n: takeable }) : t("bulk.none"));
    this.take.disabled = this.busy || !takeable;
    setText(this.clear, t("bulk.clear"));
    this.#drawResult();
  }

  #takeable(number) {
    return this.source.store.get(number)?.allowed.includes("acknowledge") ?? false;
  }

  /** Take all that are selected; those that cannot be are named with the reason, and stay selected. */
  async acknowledge() {
    const by = signedIn() ? actorName() : this.name.value.trim();
    if (!by) {
      this.name.focus();
      this.#tell({ trouble: t("bulk.name.missing") });
      return;
    }
    rememberName(by);
    await this.run([...this.list.selection], by, this.note.value.trim());
  }

  async run(numbers, by, note = "") {
    if (this.busy || !numbers.length) return;
    this.busy = true;
    this.draw();
    const found = { done: 0, refused: [], trouble: "" };
    try {
      for (let at = 0; at < numbers.length; at += AT_ONCE) {
        const answer = await api.post("/api/v1/incidents/acknowledge", { numbers: numbers.slice(at, at + AT_ONCE), by, note });
        found.done += answer.done.length;
        found.refused.push(...answer.refused);
        this.source.took(answer.done);
      }
      this.note.value = "";
    } catch (error) {
      found.trouble = t("bulk.trouble", { n: found.done, why: error.detail || error.message });
    }
    this.busy = false;
    this.list.selectOnly(found.trouble ? numbers.filter((number) => this.#takeable(number)) : found.refused.map(({ number }) => number));
    this.#tell(found);
  }

  #tell(found) {
    this.done = found;
    this.draw();
  }

  #drawResult() {
    const { result, done } = this;
    const written = JSON.stringify([done, document.documentElement.lang]);
    if (result.written === written) return;
    result.written = written;
    if (done === null) return fill(result);
    const { done: many = 0, refused = [], trouble = "" } = done;
    const bad = refused.length > 0 || trouble;
    fill(
      result,
      h(
        "div",
        { class: "notice", data: { tone: bad ? "warning" : "ok" } },
        icon(bad ? "warning" : "ok"),
        h(
          "div",
          { class: "bulk-words" },
          h("strong", { text: trouble || (refused.length ? t("bulk.done.some", { n: many, m: refused.length }) : t("bulk.done", { n: many })) }),
          refused.length > 0 && h("ul", { class: "bulk-refused" }, refused.slice(0, NAMED).map((one) => this.#refusal(one))),
          refused.length > NAMED && h("p", { text: t("bulk.more", { n: refused.length - NAMED }) }),
        ),
        h("button", { class: "button quiet icon-only", type: "button", title: t("action.close"), "aria-label": t("action.close"), on: { click: () => this.#tell(null) } }, icon("close")),
      ),
    );
  }

  #refusal({ number, why }) {
    const link = h("a", { href: `#incident=${number}`, text: `#${number}` });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      this.open(number);
    });
    return h("li", {}, link, ` ${why}`);
  }
}
