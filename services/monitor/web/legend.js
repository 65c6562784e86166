// What the marks mean and which keys do something: one click, or "?", away.

import { fill, h, setAttr } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { STATES } from "./agentlist.js";
import { KEYS } from "./floor/keys.js";

const PROVENANCES = ["observed", "inferred", "timer", "stale"];

export function legend() {
  const button = h("button", { class: "button quiet icon-only", type: "button", popovertarget: "legend" }, icon("legend"));
  const box = h("div", { class: "legend", id: "legend", popover: "auto" });
  const node = h("div", { class: "legend-place" }, button, box);

  function line(shape, word, meaning, data = {}) {
    return [h("dt", { data }, icon(shape), word), h("dd", {}, meaning)];
  }

  function render() {
    setAttr(button, "title", t("legend.title"));
    setAttr(button, "aria-label", t("legend.title"));
    setAttr(box, "aria-label", t("legend.title"));
    if (box.dataset.lang === document.documentElement.lang) return;
    box.dataset.lang = document.documentElement.lang;
    fill(
      box,
      h("h3", {}, t("legend.states")),
      h("dl", {}, STATES.map((state) => line(state, t(`state.${state}`), t(`legend.state.${state}`), { state }))),
      h("h3", {}, t("legend.provenance")),
      h("dl", {}, PROVENANCES.map((name) => line(name, t(`legend.${name}`), t(`provenance.${name}`)))),
      h("h3", {}, t("legend.marks")),
      h(
        "dl",
        {},
        line("listened", t("legend.listened"), t("card.listened")),
        line("flapping", t("legend.flapping"), t("legend.flapping.meaning")),
      ),
      h("h3", {}, t("legend.keys")),
      h(
        "dl",
        {},
        KEYS.map(([keys, name]) => [h("dt", {}, keys.map((key) => h("kbd", {}, key))), h("dd", {}, t(`keys.${name}`))]),
      ),
    );
  }
  render();
  return { node, render, open: () => box.showPopover() };
}
