// What one sees of a rewind: the mark, which moment, the buttons, the time line, and the way back.

import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { age, clock, dayShort } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { TimeLine } from "./timeline.js";

const STEPS_S = [-60, -10, 10, 60];
export const SPEEDS = [1, 4, 16];
const SPANS_S = [900, 7200, 0];

export class RewindBar {
  /** `on`: {move(at, settled), step(seconds), play(), speed(n), span(seconds), site(name), back()}. */
  constructor(root, on) {
    this.root = root;
    this.word = h("strong", { class: "rewind-word" });
    this.time = h("time", { class: "rewind-time num" });
    this.more = h("span", { class: "rewind-more nowrap" });
    this.sites = h("select", { class: "select rewind-site", on: { change: () => on.site(this.sites.value) } });
    this.steps = STEPS_S.map((seconds) =>
      h("button", { class: "button", type: "button", data: { seconds }, on: { click: () => on.step(seconds) } }),
    );
    this.playShape = icon("play");
    this.playWord = h("span");
    this.play = h("button", { class: "button rewind-play", type: "button", on: { click: () => on.play() } }, this.playShape, this.playWord);
    this.speeds = this.#segments(SPEEDS, (n) => on.speed(n));
    this.spans = this.#segments(SPANS_S, (n) => on.span(n));
    this.said = h("p", { class: "rewind-said", role: "status" });
    this.back = h("button", { class: "button primary rewind-back", type: "button", on: { click: () => on.back() } });
    this.line = new TimeLine((at, settled) => on.move(at, settled));
    this.told = h("p", { class: "visually-hidden", role: "status" });
    this.controls = h("div", { class: "rewind-controls" }, this.steps[0], this.steps[1], this.play, this.speeds, this.steps[2], this.steps[3]);
    root.classList.add("rewind-bar");
    setAttr(root, "role", "region");
    fill(
      root,
      h("div", { class: "rewind-head" }, (this.mark = h("span", { class: "rewind-mark", hidden: true }, icon("rewind"), this.word)), this.time, this.more),
      this.controls,
      h("div", { class: "rewind-end" }, this.sites, this.spans, this.back),
      this.said,
      this.line.node,
      this.told,
    );
  }

  #segments(values, choose) {
    const buttons = values.map((value) => h("button", { type: "button", data: { value }, on: { click: () => choose(value) } }));
    return h("div", { class: "segments", role: "group" }, buttons);
  }

  /** Words that depend on the language and on what is chosen. */
  draw({ playing, speed, span, site, sites, ready, active }) {
    setAttr(this.root, "aria-label", t("rewind.title"));
    setText(this.word, t("rewind.mark"));
    setHidden(this.mark, !active); // until the picture of then has come, the board is that of now
    for (const button of this.steps) {
      setText(button, t(`rewind.step.${button.dataset.seconds}`));
      setAttr(button, "aria-label", t(`rewind.step.${button.dataset.seconds}.hint`));
    }
    setIcon(this.playShape, playing ? "pause" : "play");
    setText(this.playWord, t(playing ? "rewind.pause" : "rewind.play"));
    this.#press(this.speeds, speed, t("rewind.speed"), (n) => t("rewind.speed.n", { n }));
    this.#press(this.spans, span, t("rewind.span"), (n) => t(`rewind.span.${n}`));
    setText(this.back, t("rewind.now"));
    setHidden(this.sites, sites.length < 2);
    setAttr(this.sites, "aria-label", t("rewind.site"));
    const options = [...(site ? [] : [{ site: "", label: t("rewind.choose") }]), ...sites];
    keyed(this.sites, options, (one) => one.site, (one) => h("option", { value: one.site }), (node, one) => setText(node, one.label || one.site));
    if (this.sites.value !== site) this.sites.value = site;
    for (const part of [this.controls, this.line.node, this.spans]) setHidden(part, !ready);
  }

  #press(group, value, label, word) {
    setAttr(group, "aria-label", label);
    for (const button of group.children) {
      setText(button, word(button.dataset.value));
      setAttr(button, "aria-pressed", String(Number(button.dataset.value) === value));
    }
  }

  /** Which moment, and how long ago by the site's clock of now. */
  moment(at, now, zone) {
    const known = !Number.isNaN(at);
    setText(this.time, known ? clock(at, zone) : "");
    setAttr(this.time, "datetime", known ? new Date(at).toISOString() : null);
    const ago = known && !Number.isNaN(now) ? t("rewind.ago", { ago: age((now - at) / 1000) }) : "";
    setText(this.more, known ? [dayShort(at, zone), ago].filter(Boolean).join(" · ") : "");
    if (known) this.line.show(at);
  }

  /** What is going on or went wrong; "" for nothing. `tone`: quiet or warning. */
  say(text, tone = "quiet") {
    setText(this.said, text);
    setData(this.said, "tone", tone);
    setHidden(this.said, text === "");
  }

  /** For those who do not see the mark. */
  tell(text) {
    setText(this.told, text);
  }
}
