// The case of a transfer: why it was so, what was noted, what follows. Nothing that somebody wrote is lost: not by a reload,
// not by a server that is away, not by a colleague who was quicker.

import { api } from "/static/shared/api.js";
import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { language, t } from "/static/shared/i18n.js";
import { may } from "/static/shared/me.js";
import { Conflict } from "./conflict.js";
import { differing, draftOf, dropDraft, keepDraft, valuesOf } from "./drafts.js";
import { drawHistory } from "./history.js";
import { pathOf } from "./paths.js";

export class CaseForm {
  /** `saved(key, case)` after each save; `touched()` when there is unsaved text, or no more. */
  constructor({ saved, touched }) {
    Object.assign(this, { saved, touched, key: "", found: null, version: 0, reasons: [], busy: false });
    this.#build();
  }

  #build() {
    const field = (name, control) => {
      const label = h("span", { "data-t": `desk.case.${name}` });
      control.addEventListener("input", () => this.#changed());
      return { node: h("label", { class: `field case-${name}` }, label, control), control, label };
    };
    this.heading = h("h3", { "data-t": "desk.case" });
    this.fields = {
      status: field("status", h("select", { class: "select" })),
      reason: field("reason", h("select", { class: "select" })),
      note: field("note", h("textarea", { class: "input", rows: 3, maxlength: 4000 })),
      follow_up: field("follow_up", h("input", { class: "input", maxlength: 4000 })),
      follow_up_on: field("follow_up_on", h("input", { class: "input", type: "date", max: "9999-12-31" })),
    };
    this.said = h("p", { class: "case-said", role: "status" });
    this.saveButton = h("button", { class: "button primary", type: "submit" });
    this.discardButton = h("button", { class: "button quiet", type: "button" });
    this.discardButton.addEventListener("click", () => this.#discard());
    this.conflict = new Conflict((values) => this.#set(values), () => this.save(), () => this.#discard());
    this.historyNode = h("div", { class: "case-history" });
    const { status, reason, note, follow_up: what, follow_up_on: on } = this.fields;
    this.form = h(
      "form",
      { class: "case-form" },
      this.heading,
      this.conflict.node,
      h("div", { class: "case-two" }, reason.node, status.node),
      note.node,
      h("div", { class: "case-two wide" }, what.node, on.node),
      h("div", { class: "case-foot" }, this.saveButton, this.discardButton, this.said),
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    this.node = h("div", { class: "case" }, this.form, this.historyNode);
  }

  /** The reasons to choose from: [{code, label_en, label_zh}]. */
  offer(reasons) {
    this.reasons = reasons;
    this.draw();
  }

  /** Show the case of transfer `key`; unsaved text of it comes back. The same one again: only what is newer is taken. */
  show(key, found) {
    const again = key === this.key;
    if (again && (found?.version ?? 0) < this.version) return;
    const wasClean = !again || !this.isDirty();
    if (again && !wasClean && (found?.version ?? 0) > this.version) return this.#outrun(found);
    Object.assign(this, { key, found, version: found?.version ?? 0 });
    if (!again) {
      this.conflict.end();
      this.#say("");
    }
    const draft = draftOf(key);
    this.#write(draft ? draft.values : valuesOf(found));
    if (draft && draft.version < this.version) this.conflict.begin(found, draft.values);
    this.draw();
  }

  isDirty() {
    return Boolean(this.key) && differing(this.values(), valuesOf(this.found)).length > 0;
  }

  values() {
    return Object.fromEntries(Object.entries(this.fields).map(([name, { control }]) => [name, control.value]));
  }

  focus() {
    this.fields.reason.control.focus();
  }

  draw() {
    const writable = may("floor.act");
    for (const { control, label } of Object.values(this.fields)) {
      setText(label, t(label.dataset.t));
      control.disabled = !writable;
    }
    setText(this.heading, this.found ? t("desk.case") : t("desk.case.none"));
    this.#options("status", ["open", "closed"].map((code) => [code, t(`desk.case.${code}`)]));
    const known = this.reasons.map((one) => [one.code, language() === "zh-CN" ? one.label_zh : one.label_en]);
    const other = this.found?.reason && !known.some(([code]) => code === this.found.reason) ? [[this.found.reason, this.found.reason]] : [];
    this.#options("reason", [["", t("desk.case.reason.none")], ...known, ...other]);
    setText(this.saveButton, t(this.conflict.theirs ? "desk.conflict.save" : "desk.case.save"));
    setAttr(this.saveButton, "title", t("desk.case.save.hint"));
    setText(this.discardButton, t("desk.case.discard"));
    setHidden(this.saveButton, !writable);
    this.conflict.draw();
    drawHistory(this.historyNode, this.found, this.reasons);
    this.#mark();
  }

  #options(name, options) {
    const { control } = this.fields[name];
    const text = JSON.stringify(options);
    if (control.offered === text) return;
    control.offered = text;
    const { value } = control;
    fill(control, options.map(([code, label]) => h("option", { value: code }, label)));
    control.value = this.wanted?.[name] ?? value;
  }

  #write(values) {
    this.wanted = values; // a reason that is offered only later is chosen then
    for (const [name, { control }] of Object.entries(this.fields)) if (control.value !== values[name]) control.value = values[name];
  }

  #set(values) {
    this.#write({ ...this.values(), ...values });
    this.#changed();
  }

  #changed() {
    this.wanted = this.values();
    if (this.isDirty()) keepDraft(this.key, { values: this.values(), version: this.version });
    else dropDraft(this.key);
    this.#say("");
    this.#mark();
    this.touched();
  }

  #mark() {
    const dirty = this.isDirty();
    setAttr(this.saveButton, "aria-disabled", String(this.busy || !dirty)); // disabled, it would lose the keyboard's place
    setHidden(this.discardButton, !dirty);
    if (!may("floor.act")) setText(this.said, t("desk.case.read_only"));
    else if (dirty && !this.saying) setText(this.said, t("desk.case.unsaved"));
    else setText(this.said, this.saying);
  }

  #say(text, tone = "") {
    this.saying = text;
    setData(this.said, "tone", tone);
    this.#mark();
  }

  #discard() {
    dropDraft(this.key);
    this.conflict.end();
    this.#write(valuesOf(this.found));
    this.#say("");
    this.draw();
    this.touched();
  }

  async save() {
    if (this.busy || !may("floor.act") || !(this.isDirty() || this.fields.follow_up_on.control.validity.badInput)) return;
    const { key } = this;
    const values = this.values();
    if (values.status === "closed" && !values.reason) return this.#wrong("reason", "desk.case.closed_needs_reason");
    if (this.fields.follow_up_on.control.validity.badInput) return this.#wrong("follow_up_on", "desk.case.half_a_date"); // its value is ""
    this.busy = true;
    this.#say(t("desk.case.saving"));
    try {
      const body = { ...values, follow_up_on: values.follow_up_on || null, version: this.version };
      const found = await api.put(`${pathOf(key)}/case`, body);
      this.#kept(key, values, found);
    } catch (error) {
      await this.#refused(key, error);
    } finally {
      this.busy = false;
      this.#mark();
    }
  }

  #wrong(field, key) {
    this.#say(t(key), "critical");
    this.fields[field].control.focus();
  }

  /** What was typed while the answer was on its way stays, as a change of what was saved. */
  #kept(key, values, found) {
    this.saved(key, found);
    const now = key === this.key ? this.values() : null;
    if (now === null || !differing(now, values).length) dropDraft(key);
    if (now === null) return this.touched();
    const typed = Object.fromEntries(differing(now, values).map((name) => [name, now[name]]));
    Object.assign(this, { found, version: found.version });
    this.conflict.end();
    this.#write({ ...valuesOf(found), ...typed });
    if (Object.keys(typed).length) keepDraft(key, { values: this.values(), version: this.version });
    this.#say(Object.keys(typed).length ? "" : t("desk.case.saved"), "ok");
    this.draw();
    this.touched();
  }

  async #refused(key, error) {
    if (error.status === 409) {
      try {
        const { case: theirs } = await api.get(pathOf(key));
        if (key === this.key) {
          this.#outrun(theirs);
          this.conflict.focus(); // the field that was typed in may be out of sight below it
        }
        return;
      } catch (again) {
        error = again;
      }
    }
    if (key !== this.key) return;
    const why = error.status ? error.detail || error.title : t("desk.case.unreachable");
    this.#say(t("desk.case.refused", { why }), "critical");
  }

  /** Somebody was quicker: their case is what the next save changes, and both texts are shown. */
  #outrun(theirs) {
    const mine = this.values();
    Object.assign(this, { found: theirs, version: theirs?.version ?? 0 });
    if (this.isDirty()) keepDraft(this.key, { values: mine, version: this.version - 1 }); // a reload shows the conflict again
    else dropDraft(this.key);
    this.conflict.begin(theirs, mine);
    this.#say("");
    this.draw();
    this.saved(this.key, theirs);
  }
}
