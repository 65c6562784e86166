// Two wrote at once: what the other one wrote stands beside what is in the form, field by field.

import { fill, h, setHidden } from "/static/shared/dom.js";
import { clock } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { differing, valuesOf } from "./drafts.js";

const TEXTS = ["note", "follow_up"]; // of these both can be kept

export class Conflict {
  /** `take(values)` puts theirs into the form, `save()` saves what is in it, `discard()` gives up what is in it. */
  constructor(take, save, discard) {
    Object.assign(this, { take, save, discard, theirs: null, mine: null });
    this.node = h("div", { class: "conflict notice", role: "alert", tabindex: "-1", data: { tone: "warning" }, hidden: true });
  }

  begin(theirs, mine) {
    Object.assign(this, { theirs, mine });
    this.draw();
  }

  focus() {
    this.node.focus();
  }

  end() {
    this.theirs = null;
    this.draw();
  }

  draw() {
    const { theirs, mine } = this;
    setHidden(this.node, !theirs);
    if (!theirs) return;
    const values = valuesOf(theirs);
    const last = theirs.history?.at(-1);
    const name = last?.by_name || last?.by || theirs.changed_by;
    fill(
      this.node,
      icon("warning"),
      h(
        "div",
        { class: "stack" },
        h("p", {}, h("strong", { text: t("desk.conflict", { name, time: clock(theirs.changed_at) }) })),
        differing(values, mine).map((field) => this.#field(field, values[field], mine[field], name)),
        h("div", { class: "row" }, button("desk.conflict.save", () => this.save()), button("desk.conflict.take_all", () => this.discard())),
      ),
    );
  }

  #field(field, theirs, mine, name) {
    const shown = theirs || t("desk.conflict.empty");
    return h(
      "div",
      { class: "conflict-field" },
      h("span", { class: "muted", text: t(`desk.case.${field}`) }),
      h("blockquote", { text: t("desk.conflict.theirs", { name, value: shown }) }),
      h(
        "div",
        { class: "row" },
        button("desk.conflict.take", () => this.take({ [field]: theirs })),
        TEXTS.includes(field) && theirs && mine && button("desk.conflict.both", () => this.take({ [field]: `${theirs}\n${mine}` })),
      ),
    );
  }
}

function button(key, act) {
  return h("button", { class: "button", type: "button", text: t(key), on: { click: act } });
}
