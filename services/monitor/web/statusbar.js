// In the top bar: which site, its clock, how old the data is, and whether it is real.

import { h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, number } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { MARKS } from "./board.js";

export class StatusBar {
  constructor(bar, board) {
    Object.assign(this, { bar, board });
    this.name = h("span", { class: "site-name truncate" });
    this.choice = h("select", { class: "select site-choice", hidden: true });
    this.choice.addEventListener("change", () => board.chooseSite(this.choice.value));
    this.speed = h("span", { class: "muted nowrap", hidden: true });
    this.clock = h("time", { class: "site-clock" });
    this.clockOf = h("span", { class: "clock-of muted truncate", hidden: true });
    this.age = h("span", { class: "site-age nowrap" });
    bar.slot.append(this.name, this.choice, this.speed, this.clock, this.clockOf, this.age);
  }

  update() {
    const { board } = this;
    const sites = board.sites();
    setHidden(this.choice, sites.length < 2);
    setHidden(this.name, sites.length !== 1);
    setText(this.name, sites.length === 1 ? board.siteLabel(sites[0].site) : "");
    setAttr(this.choice, "aria-label", t("site.choose"));
    const options = [{ site: "", label: t("site.all", { n: sites.length }) }, ...sites];
    keyed(
      this.choice,
      options,
      (view) => view.site,
      (view) => h("option", { value: view.site }),
      (node, view) => setText(node, view.label || view.site),
    );
    if (this.choice.value !== board.wantedSite()) this.choice.value = board.wantedSite();
    const shown = board.shownSites();
    this.bar.setMarks(MARKS.filter((mark) => shown.some((view) => view[mark])));
    const speed = shown[0]?.speed ?? 1;
    setHidden(this.speed, speed === 1);
    setText(this.speed, t("site.speed", { n: number(speed, Number.isInteger(speed) ? 0 : 1) }));
    this.tick();
  }

  tick(local = performance.now()) {
    const { board } = this;
    const shown = board.shownSites();
    const site = shown.find((view) => !board.isStale(view.site)) ?? shown[0]; // a clock that stands still tells no time
    const now = site ? board.clocks.now(site.site, local) : NaN;
    setText(this.clock, Number.isNaN(now) ? "" : clock(now, board.zone(site.site)));
    setAttr(this.clock, "title", site ? t("site.clock", { zone: site.time_zone, site: board.siteLabel(site.site) }) : null);
    setHidden(this.clockOf, shown.length < 2); // of several, one site's time needs that site's name
    setText(this.clockOf, site ? board.siteLabel(site.site) : "");
    const told = board.freshness(local);
    setHidden(this.age, told === null);
    setText(this.age, told?.text ?? "");
    setData(this.age, "tone", told === null || told.fresh ? "quiet" : "warning");
    setAttr(this.age, "title", t("site.age.hint"));
  }
}
