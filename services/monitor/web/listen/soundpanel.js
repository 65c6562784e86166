// The sound of what is heard: two meters with their volumes, the last minute with its marks, and how good the connection is.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { LevelMeters } from "./sound/meters.js";
import { troubleWords } from "./sound/support.js";
import { Waveform } from "./sound/waveform.js";

const SIDES = ["agent", "customer"];
const HEARD = ["both", "agent", "customer"];
const LATE_MS = 400; // more than this and one hears the past

export class SoundPanel {
  constructor(deck) {
    Object.assign(this, { deck, views: new WeakMap(), item: null });
    this.place = h("div", { class: "sound-place" });
    this.none = h("p", { class: "sound-none muted" });
    this.volumes = Object.fromEntries(SIDES.map((side) => [side, this.#volume(side)]));
    this.heard = HEARD.map((side) => h("button", { type: "button", data: { side }, on: { click: () => this.deck.item?.select(side) } }));
    this.select = h("div", { class: "segments", role: "group" }, this.heard);
    this.figures = h("p", { class: "sound-figures" });
    this.troubles = h("div", { class: "sound-troubles", role: "status" });
    this.node = h("section", { class: "sound" }, this.troubles, this.place, this.none, h("div", { class: "sound-volumes" }, SIDES.map((side) => this.volumes[side].node), this.select), this.figures);
  }

  #volume(side) {
    const words = h("span");
    const input = h("input", { type: "range", min: "0", max: "1", step: "0.05", class: "volume" });
    input.addEventListener("input", () => this.deck.item?.volume(side, Number(input.value)));
    return { words, input, node: h("label", { class: "volume-of", data: { side } }, words, input) };
  }

  update() {
    const { item } = this.deck;
    this.item = item;
    if (!item) return;
    const view = this.#viewOf(item);
    if (this.place.firstChild !== (view?.root ?? null)) fill(this.place, view?.root);
    setHidden(this.none, Boolean(view));
    setText(this.none, t("listen.sound.none"));
    for (const side of SIDES) {
      const { words, input } = this.volumes[side];
      setText(words, t(`listen.volume.${side}`));
      if (Number(input.value) !== item.volumes[side]) input.value = item.volumes[side];
    }
    setAttr(this.select, "aria-label", t("listen.side"));
    for (const button of this.heard) {
      setText(button, t(`listen.side.${button.dataset.side}`));
      setAttr(button, "aria-pressed", String(item.side === button.dataset.side));
    }
    this.#drawTroubles(item);
    this.tick();
  }

  /** What draws the item's sound: made anew with each listen, kept as it was after its end. */
  #viewOf(item) {
    const known = this.views.get(item);
    if (!item.listening || known?.listening === item.listening) {
      if (known) addMarks(known, item);
      return known;
    }
    known?.meters.end();
    known?.wave.end();
    const root = h("div", { class: "sound-live" });
    const view = { root, listening: item.listening, meters: new LevelMeters(root, item.listening), wave: new Waveform(root, item.listening), marked: new Set() };
    this.views.set(item, view);
    addMarks(view, item);
    return view;
  }

  #drawTroubles(item) {
    const codes = [...item.troubles].join();
    if (this.told === codes + document.documentElement.lang) return;
    this.told = codes + document.documentElement.lang;
    fill(this.troubles, [...item.troubles].map((code) => {
      const { title, hint } = troubleWords(code);
      return h("div", { class: "notice", data: { tone: "warning" } }, icon("warning"), h("div", {}, h("strong", { text: title }), " ", h("span", { text: hint })));
    }));
  }

  tick() {
    const { item } = this;
    if (!item) return;
    const { stats } = item;
    setHidden(this.figures, !stats || !item.isOpen);
    if (this.figures.hidden) return;
    const ms = (value) => (value === null || value === undefined ? "–" : t("listen.ms", { n: number(value) }));
    const words = [
      t("listen.latency", { ms: ms(stats.latency_ms) }),
      t("listen.buffer", { ms: ms(stats.buffer_ms) }),
      t("listen.loss", { share: stats.loss === null ? "–" : `${number(stats.loss * 100, 1)}%`, n: number(stats.lost) }),
      t("listen.late", { n: number(stats.late) }),
      t("listen.discarded", { n: number((stats.discarded ?? 0) + (stats.dropped ?? 0)) }),
    ];
    setText(this.figures, words.join(" · "));
    setData(this.figures, "tone", (stats.loss ?? 0) > 0.02 || (stats.latency_ms ?? 0) > LATE_MS ? "warning" : "quiet");
    setAttr(this.figures, "title", t("listen.figures.hint"));
  }
}

function addMarks({ wave, marked }, item) {
  for (const mark of item.marks) {
    if (marked.has(mark)) continue;
    marked.add(mark);
    wave.add(mark);
  }
}
