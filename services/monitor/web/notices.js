// What is wrong with the data itself: page disconnected, link to a switch down, nothing ever connected.

import { fill, h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock, dateTime, dayShort, duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { may, me, scope } from "/static/shared/me.js";
import { pageAddress } from "/static/shared/pages.js";
import { linkReasonText } from "/static/shared/reasons.js";
import { sees } from "/static/shared/sees.js";

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
    me().then(() => this.welcomed && this.update(), () => {}); // who it is decides what the next step is
  }

  /** Take what the feed client tells. */
  connection(status) {
    this.status = status;
    this.tick();
  }

  update() {
    const { board } = this;
    const known = board.store.loaded && board.connection.state === "live";
    const kinds = new Map(); // several sites in the same trouble are one notice
    for (const site of known ? board.shownSites() : []) {
      const kind = site.link !== "up" ? site.link : board.silent.has(site.site) ? "silent" : "";
      if (kind) kinds.set(kind, [...(kinds.get(kind) ?? []), site]);
    }
    this.nodes = keyed(
      this.list,
      [...kinds],
      ([kind]) => kind,
      createNotice,
      (node, [kind, sites]) => {
        Object.assign(node, { kind, sites });
      },
    );
    this.#drawWelcome(board.store.loaded && board.isEmpty());
    this.tick();
  }

  #drawWelcome(empty) {
    this.welcomed = empty;
    setHidden(this.welcome, !empty);
    if (!empty) return;
    if (this.board.rewound) {
      fill(this.welcome, h("h1", {}, t("welcome.then")), h("p", {}, t("welcome.then.meaning")));
      return;
    }
    const part = scope() ? sees(scope()) : "";
    if (part) {
      fill(this.welcome, h("h1", {}, t("welcome.part")), h("p", {}, t("welcome.part.meaning", { what: part })));
      return;
    }
    const linked = this.board.sites().some(({ link }) => link === "up");
    const step = (name, ...more) =>
      h("li", {}, h("strong", {}, t(`welcome.${name}.title`)), h("p", {}, t(`welcome.${name}`)), ...more);
    fill(
      this.welcome,
      h("h1", {}, t(linked ? "welcome.quiet" : "welcome.title")),
      h("p", {}, t(linked ? "welcome.quiet.lead" : "welcome.lead")),
      h(
        "ol",
        { class: "welcome-steps" },
        !linked && step("try", h("pre", {}, "make run")),
        step("any", h("p", {}, h("a", { href: pageAddress("ingest", "monitor") }, t("welcome.connections")))),
        !linked && step("asterisk", h("pre", {}, "ASTERISK_FILE=asterisk.yaml .venv/bin/floorwatch asterisk check")),
        step("names", h("pre", {}, "deploy/sites.yaml")),
      ),
    );
  }

  tick(local = performance.now()) {
    this.#tickBanner();
    for (const node of this.nodes?.values() ?? []) this.#drawSites(node, local);
  }

  #tickBanner() {
    const { state, since, reason, retryAt, attempt } = this.status;
    const waiting = state === "connecting" && Date.now() - since < PATIENCE_MS;
    setHidden(this.banner, state === "live" || waiting);
    setData(this.banner, "state", state);
    if (this.banner.hidden) return;
    const zone = this.board.zone(this.board.shownSites()[0]?.site); // that of the clock above
    const values = { time: clock(since, zone), reason };
    const said = t(this.#banner(state), values);
    setText(this.text, said + (reason && state !== "refused" ? t("banner.reason", values) : "") + this.#shownMeanwhile());
    const left = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const next = state === "refused" ? "" : t(left > 0 ? "banner.retry" : "banner.trying", { n: left, attempt });
    setText(this.next, `${duration((Date.now() - since) / 1000)} · ${next}`.replace(/ · $/, ""));
  }

  #banner(state) {
    if (state === "lost" && this.board.rewound) return "banner.lost.rewound";
    if (state === "refused" && scope() && !may("floor.read")) return "banner.no_role";
    return `banner.${state}`;
  }

  /** Another site was chosen and cannot be fetched: which one is on the page still. */
  #shownMeanwhile() {
    const { board } = this;
    const shown = board.site();
    return shown === board.wantedSite() ? "" : t("banner.still", { site: board.siteLabel(shown) });
  }

  #drawSites(node, local) {
    const { kind, sites } = node;
    setData(node, "tone", kind === "never" ? "info" : "warning");
    const each = sites.map((site) => this.#lost(kind, site, local));
    if (each.length === 1) setText(node.head, t(`link.${kind}`, each[0]) + (each[0].reason && t("link.reason", each[0])));
    else setText(node.head, t(`link.${kind}.many`, { sites: each.map((one) => this.#oneOf(one)).join(t("link.and")) }));
    setText(node.rest, t(`link.${kind}.meaning`));
  }

  /** {site, time, reason}: since when a site is lost, and why if its connector said so. */
  #lost(kind, { site, time_zone: zone, link_since: since, link_reason: reason }, local) {
    const { board } = this;
    const at = kind === "silent" ? (board.clocks.sites?.get(site)?.heard ?? NaN) : new Date(since ?? NaN).getTime();
    const now = board.clocks.now(site, local);
    const today = dayShort(at, zone) === dayShort(now, zone);
    const time = Number.isNaN(at) ? "" : today ? clock(at, zone) : dateTime(at, zone);
    return { site: board.siteLabel(site), time, reason: kind === "down" && reason ? linkReasonText(reason) : "" };
  }

  #oneOf({ site, time, reason }) {
    return time ? t(reason ? "link.one_of.why" : "link.one_of", { site, time, reason }) : site;
  }
}

function createNotice() {
  const node = h("div", { class: "notice site-notice", data: { tone: "warning" } }, icon("warning"));
  node.head = h("p");
  node.rest = h("p", { class: "muted" });
  node.append(h("div", { class: "stack" }, node.head, node.rest));
  return node;
}
