// What is wrong with the data itself: page disconnected, link to a switch down, nothing ever connected.

import { fill, h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, dateTime, duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { pageAddress } from "/static/shared/pages.js";

const PATIENCE_MS = 2500; // a first connection usually takes a tenth of that; no banner flashes up while it does

export class Notices {
  constructor(board, element) {
    this.board = board;
    this.banner = element("connection-banner");
    this.list = element("site-notices");
    this.welcome = element("welcome");
    this.welcomed = null;
    this.status = board.connection;
    this.text = h("span", { class: "banner-text" });
    this.next = h("span", { class: "banner-next", "aria-hidden": "true" });
    fill(this.banner, icon("critical"), this.text, this.next);
    this.drawn = null;
  }

  /** Take what the feed client tells. */
  connection(status) {
    this.status = status;
    this.tick();
  }

  update() {
    const { board } = this;
    const troubled = board.shownSites().filter((site) => site.link !== "up" || board.silent.has(site.site));
    const known = board.store.loaded && board.connection.state === "live";
    this.nodes = keyed(
      this.list,
      known ? troubled : [],
      (site) => site.site,
      () => {
        const node = h("div", { class: "notice site-notice", data: { tone: "warning" } }, icon("warning"));
        node.text = h("div", { class: "stack" });
        node.head = h("p");
        node.rest = h("p", { class: "muted" });
        node.text.append(node.head, node.rest);
        node.append(node.text);
        return node;
      },
      (node, site) => {
        node.site = site;
      },
    );
    this.#drawWelcome(board.store.loaded && board.isEmpty());
    this.drawn = null;
    this.tick();
  }

  #drawWelcome(empty) {
    this.welcomed = empty;
    setHidden(this.welcome, !empty);
    if (!empty) return;
    const step = (name, ...more) =>
      h("li", {}, h("strong", {}, t(`welcome.${name}.title`)), h("p", {}, t(`welcome.${name}`)), ...more);
    fill(
      this.welcome,
      h("h1", {}, t(this.board.sites().length ? "welcome.quiet" : "welcome.title")),
      h("p", {}, t("welcome.lead")),
      h(
        "ol",
        { class: "welcome-steps" },
        step("try", h("pre", {}, "make run")),
        step("any", h("p", {}, h("a", { href: pageAddress("ingest", "monitor") }, t("welcome.connections")))),
        step("asterisk", h("pre", {}, "switch.raw  vendor=asterisk  site=hq")),
        step("names", h("pre", {}, "deploy/sites.yaml")),
      ),
    );
  }

  tick(local = performance.now()) {
    this.#tickBanner();
    for (const node of this.nodes?.values() ?? []) this.#drawSite(node, local);
  }

  #tickBanner() {
    const { state, since, reason, retryAt, attempt } = this.status;
    const waiting = state === "connecting" && Date.now() - since < PATIENCE_MS;
    setHidden(this.banner, state === "live" || waiting);
    setData(this.banner, "state", state);
    if (this.banner.hidden) return;
    const zone = this.board.zone(this.board.shownSites()[0]?.site); // that of the clock above
    const values = { time: clock(since, zone), reason };
    setText(this.text, t(`banner.${state}`, values) + (reason && state !== "refused" ? t("banner.reason", values) : ""));
    const left = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const next = state === "refused" ? "" : t(left > 0 ? "banner.retry" : "banner.trying", { n: left, attempt });
    setText(this.next, `${duration((Date.now() - since) / 1000)} · ${next}`.replace(/ · $/, ""));
  }

  #drawSite(node, local) {
    const { board } = this;
    const { site } = node;
    const label = board.siteLabel(site.site);
    const kind = site.link === "up" ? "silent" : site.link;
    setData(node, "tone", kind === "never" ? "info" : "warning");
    const zone = site.time_zone;
    const since = kind === "silent" ? Number(board.clocks.now(site.site, local)) : site.link_since;
    const agoS = kind === "silent" ? board.clocks.age(site.site, local) : null;
    const values = { site: label, time: since ? dateTime(since, zone) : "", ago: agoS === null ? "" : duration(agoS) };
    const reason = kind === "down" && site.link_reason ? t("link.reason", { reason: site.link_reason }) : "";
    setText(node.head, t(`link.${kind}`, values) + reason);
    setText(node.rest, t(`link.${kind}.meaning`));
  }
}
