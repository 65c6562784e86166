// On top: what this screen shows, whether it is real, how it stands as a whole, the switch's clock and the age of all of it.

import { fill, h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { MARKS } from "../board.js";
import { fit, isTooLong, pattern } from "./fit.js";

const CLOCKS = 3; // so many time zones at most

// When not all of it fits: first smaller, then all sites by their number, then without what the tiles say as well.
const STEPS = ["", "smaller", "small", "short", "bare", "least", "tiny"];
const SHORT = STEPS.indexOf("short");

export class Head {
  constructor(root, board, title) {
    Object.assign(this, { root, board, wanted: title });
    this.title = h("h1", { class: "head-title" });
    this.marks = h("div", { class: "head-marks" });
    this.waiting = h("span", { class: "head-waiting" });
    this.shape = icon("ok");
    this.overText = h("span");
    this.over = h("span", { class: "head-over" }, this.shape, this.overText);
    this.speed = h("span", { class: "head-speed", hidden: true });
    this.ageShape = icon("observed");
    this.ageText = h("span");
    this.age = h("span", { class: "head-age" }, this.ageShape, this.ageText);
    this.clocks = h("div", { class: "head-clocks" });
    this.sum = h("div", { class: "head-sum" }, this.waiting, this.over);
    fill(root, this.title, this.marks, this.sum, this.speed, this.age, this.clocks);
  }

  update() {
    const { board } = this;
    const sites = board.shownSites();
    const names = sites.map(({ site }) => board.siteLabel(site)).join(" · ");
    this.names = { all: this.wanted || names || t("product"), short: this.wanted || (sites.length > 1 ? t("site.all", { n: sites.length }) : names) };
    const marks = MARKS.filter((mark) => sites.some((view) => view[mark]));
    keyed(this.marks, marks, (mark) => mark, () => h("span", { class: "head-mark" }), (node, mark) => setText(node, t(`mark.${mark}`)));
    const speed = sites[0]?.speed ?? 1;
    setHidden(this.speed, speed === 1);
    setText(this.speed, t("site.speed", { n: number(speed, Number.isInteger(speed) ? 0 : 1) }));
    const zones = new Map();
    for (const view of sites) if (!zones.has(view.time_zone)) zones.set(view.time_zone, view);
    this.shown = keyed(
      this.clocks,
      [...zones.values()].slice(0, CLOCKS),
      (view) => view.site,
      () => {
        const node = h("div", { class: "head-clock" });
        node.place = h("span", { class: "clock-place" });
        node.time = h("time", { class: "clock-time" });
        node.append(node.place, node.time);
        return node;
      },
      (node, view) => {
        node.view = view;
        setText(node.place, zones.size > 1 ? board.siteLabel(view.site) : "");
      },
    );
    this.tick();
  }

  /** `levels`: each shown queue's level. */
  tick(local = performance.now(), levels = new Map()) {
    const { board } = this;
    for (const node of this.shown?.values() ?? []) {
      const now = board.clocks.now(node.view.site, local);
      setText(node.time, Number.isNaN(now) ? "" : clock(now, node.view.time_zone));
      setData(node, "stale", board.isStale(node.view.site) ? "yes" : "");
    }
    this.#tickSum(levels);
    this.#tickAge(local);
    if (this.names) this.#fit();
  }

  #fit() {
    const { root } = this;
    const others = [this.marks, this.sum, this.speed, this.age, this.clocks].map(({ textContent, hidden }) => (hidden ? "" : textContent));
    const key = `${pattern(others.join(" "))} ${this.names.all} ${this.names.short} ${window.innerWidth} ${window.innerHeight}`;
    fit(root, key, STEPS, {
      set: (_, step) => {
        setData(root, "room", step);
        setText(this.title, STEPS.indexOf(step) >= SHORT ? this.names.short : this.names.all);
      },
      cut: () => isTooLong(this.title) || isTooLong(this.sum),
    });
  }

  #tickSum(levels) {
    const { board } = this;
    const all = board.shownQueues();
    const queues = all.filter(({ site }) => !board.isStale(site)); // what is old says nothing of now
    setHidden(this.waiting, !queues.length);
    setHidden(this.over, !queues.length);
    if (!queues.length) return;
    const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
    setText(this.waiting, t("hall.waiting", { n: number(waiting) }));
    const over = [...levels.values()].filter(Boolean).length;
    const worst = [...levels.values()].includes("critical") ? "critical" : over ? "warning" : "";
    setData(this.over, "tone", worst || "ok");
    setIcon(this.shape, worst || "ok");
    setText(this.overText, over ? t("hall.attention", { n: over }) : t(queues.length < all.length ? "hall.calm.live" : "hall.calm"));
  }

  #tickAge(local) {
    const told = this.board.freshness(local);
    setHidden(this.age, told === null);
    if (told === null) return;
    setData(this.age, "tone", told.fresh ? "quiet" : "warning");
    setIcon(this.ageShape, told.fresh ? "observed" : "stale");
    setText(this.ageText, told.text);
  }
}
