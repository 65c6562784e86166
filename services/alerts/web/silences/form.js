// A new silence or maintenance window. What it would hold is shown while it is written, so nobody silences more than they mean.

import { fill, h, setAttr, setHidden } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { actorKnown, actorName, rememberName, signedIn } from "../actor.js";
import { makeSilence, refusalText } from "./asking.js";
import { MatcherEditor, written } from "./matchers.js";
import { Preview } from "./preview.js";
import { Times } from "./times.js";

const KINDS = ["silence", "maintenance"];

export class SilenceForm {
  /** `onMade(silence)`; `onCancel()`; `zoneOf(site)`: a site's time zone, "" where nobody knows. */
  constructor({ onMade, onCancel, zoneOf }) {
    Object.assign(this, { onMade, zoneOf, kind: "silence", busy: false });
    this.matchers = new MatcherEditor({ onChange: () => this.#changed() });
    this.times = new Times({ onChange: () => fill(this.said) });
    this.preview = new Preview();
    this.kinds = h("div", { class: "segments", role: "group", "aria-label": t("silence.kind") });
    this.kindWords = h("p", { class: "muted small" });
    this.reason = h("textarea", { class: "input", name: "reason", rows: 2, maxlength: 1000, placeholder: t("silence.reason.hint"), "aria-required": "true" });
    this.by = h("input", { class: "input", name: "by", maxlength: 80, autocomplete: "name", value: actorName() });
    this.named = h("label", { class: "field" }, h("span", { text: t("silence.by") }), this.by);
    this.said = h("div");
    this.save = h("button", { class: "button primary", type: "submit" });
    this.title = h("h2", { tabindex: "-1" });
    this.node = h(
      "form",
      { class: "panel silence-form", novalidate: true },
      h("div", { class: "panel-head" }, this.title, this.kinds),
      h(
        "div",
        { class: "silence-columns" },
        h(
          "div",
          { class: "stack silence-fields" },
          this.kindWords,
          h("div", { class: "field" }, h("span", { text: t("silence.matchers") }), this.matchers.node),
          this.times.node,
          h("label", { class: "field" }, h("span", { text: t("silence.reason") }), this.reason),
          this.named,
          this.said,
          h("div", { class: "row" }, this.save, h("button", { class: "button quiet", type: "button", text: t("silence.cancel"), on: { click: onCancel } })),
        ),
        this.preview.node,
      ),
    );
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    actorKnown.then(() => {
      if (signedIn()) this.by.value = actorName();
      setHidden(this.named, signedIn());
    });
    this.setKind("silence");
  }

  setKind(kind) {
    this.kind = kind;
    this.times.setLater(kind === "maintenance");
    fill(
      this.kinds,
      KINDS.map((one) => h("button", { type: "button", data: { kind: one }, "aria-pressed": String(one === kind), text: t(`silence.kind.${one}`), on: { click: () => this.setKind(one) } })),
    );
    this.kindWords.textContent = t(`silence.about.${kind}`);
    this.title.textContent = t(`silence.new.${kind}`);
    this.save.textContent = t(`silence.make.${kind}`);
    this.#changed();
  }

  /** Begin with these matchers, [{label, values, not}], and labels to add with a click; in `zone`'s time where it is known. */
  begin(rows, offered = [], zone = "") {
    this.matchers.set(rows, offered);
    if (zone) this.times.setZone(zone);
    this.#changed();
  }

  /** What was typed beside the matchers, for another form like it. */
  typed() {
    const { start, end, duration, until } = this.times;
    return { reason: this.reason.value, by: this.by.value, start: start.value, end: end.value, duration, until };
  }

  type({ reason, by, start, end, duration, until }) {
    this.reason.value = reason;
    this.by.value = by;
    this.times.start.value = start;
    this.times.end.value = end;
    Object.assign(this.times, { duration, until });
    this.times.draw();
  }

  body() {
    return { kind: this.kind, matchers: written(this.matchers.rows), reason: this.reason.value.trim(), by: this.by.value.trim(), ...this.times.values() };
  }

  #changed() {
    fill(this.said);
    const site = this.matchers.rows.find(({ label, not }) => label === "site" && !not);
    if (site?.values.length === 1 && this.zoneOf(site.values[0])) this.times.setZone(this.zoneOf(site.values[0]));
    if (this.matchers.wrong()) return this.preview.none();
    this.preview.of({ matchers: written(this.matchers.rows) });
  }

  #wrong() {
    const matchers = this.matchers.wrong();
    if (matchers) return [null, matchers];
    const times = this.times.wrong();
    if (times) return times;
    if (!this.reason.value.trim()) return [this.reason, "silence.reason.missing"];
    return this.by.value.trim() ? null : [this.by, "silence.by.missing"];
  }

  async #submit() {
    if (this.busy) return;
    const wrong = this.#wrong();
    for (const input of [this.reason, this.by, this.times.start, this.times.end]) setAttr(input, "aria-invalid", wrong?.[0] === input ? "true" : null);
    fill(this.said, wrong && h("p", { class: "problem", role: "alert", text: t(wrong[1]) }));
    if (wrong) return wrong[0] ? wrong[0].focus() : this.matchers.focus();
    this.busy = true;
    this.save.disabled = true;
    try {
      const body = this.body();
      const made = await makeSilence(body);
      rememberName(body.by);
      this.onMade(made);
    } catch (error) {
      fill(this.said, h("p", { class: "problem", role: "alert", text: refusalText(error) }));
    } finally {
      this.busy = false;
      this.save.disabled = false;
    }
  }
}
