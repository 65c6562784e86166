// What the marks mean and which keys do something: one click, or "?", away.

import { fill, h, setAttr } from "/static/shared/dom.js";
import { age } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { STATES } from "../agentlist.js";
import { KEYS } from "./keys.js";

const PROVENANCES = ["observed", "inferred", "timer", "stale"];

export function legend() {
  const button = h("button", { class: "button quiet icon-only", type: "button", popovertarget: "legend" }, icon("legend"));
  // focused once it is open, so that the arrow keys scroll it where it is higher than the window
  const box = h("div", { class: "legend", id: "legend", popover: "auto", role: "dialog", tabindex: "-1", autofocus: true });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    event.stopPropagation();
    box.hidePopover();
  });
  const node = h("div", { class: "legend-place" }, button, box);

  function render() {
    setAttr(button, "title", t("legend.title"));
    setAttr(button, "aria-label", t("legend.title"));
    setAttr(box, "aria-label", t("legend.title"));
    if (box.dataset.lang === document.documentElement.lang) return;
    box.dataset.lang = document.documentElement.lang;
    fill(box, h("div", {}, states(), provenances(), marks()), h("div", {}, onQueues(), keys()));
  }
  render();
  return { node, render, open: () => box.showPopover() };
}

function line(shape, word, meaning, data = {}) {
  return [h("dt", { data }, icon(shape), word), h("dd", {}, meaning)];
}

function list(title, lines, name = "") {
  return h("section", { class: name }, h("h3", {}, t(title)), h("dl", {}, lines));
}

const states = () => list("legend.states", STATES.map((state) => line(state, t(`state.${state}`), t(`legend.state.${state}`), { state })));

const provenances = () => list("legend.provenance", PROVENANCES.map((name) => line(name, t(`legend.${name}`), t(`provenance.${name}`))));

const marks = () =>
  list("legend.marks", [
    line("listened", t("legend.listened"), t("card.listened")),
    line("flapping", t("legend.flapping"), t("legend.flapping.meaning")),
  ]);

const onQueues = () =>
  list(
    "legend.queue",
    [
      [t("queue.since", { time: "00:00" }), "since"],
      [t("queue.seen", { age: age(51) }), "seen"],
      ["412 +3", "carried"],
    ].map(([sample, name]) => [h("dt", {}, sample), h("dd", {}, t(`legend.queue.${name}`))]),
  );

const keys = () =>
  list(
    "legend.keys",
    KEYS.map(([names, does]) => [h("dt", {}, names.map((name) => h("kbd", {}, name))), h("dd", {}, t(`keys.${does}`))]),
    "legend-keys",
  );
