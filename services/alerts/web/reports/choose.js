// Which report: its kind, the site, and the period, one step at a time; then how one wants it.

import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { recall, remember } from "/static/shared/storage.js";
import { learnSites, siteTitle } from "../sites.js";
import { reportAddress } from "./asking.js";
import { open, refusalText } from "./fetching.js";
import { firstOf, isOver, KINDS, label, lastWhole, today } from "./period.js";

const FILES = ["pdf", "xlsx", "csv", "json"];

export class Choose {
  constructor() {
    this.sites = []; // [{site, label, time_zone}]
    this.kind = KINDS.includes(recall("report.kind")) ? recall("report.kind") : "daily";
    this.site = recall("report.site");
    this.first = lastWhole(this.kind, "");
    this.node = h("div", { class: "choose" });
    this.said = h("span", { role: "status" });
    this.draw();
  }

  /** The sites that one may see. */
  offer(sites) {
    learnSites(sites);
    this.sites = sites;
    if (!sites.some(({ site }) => site === this.site)) this.site = (sites.find(({ state }) => state && state !== "never_heard") ?? sites[0])?.site ?? this.site;
    this.first = lastWhole(this.kind, this.#zone());
    this.draw();
  }

  #zone() {
    return this.sites.find(({ site }) => site === this.site)?.time_zone ?? "";
  }

  #set(values) {
    setText(this.said, "");
    const before = this.kind;
    Object.assign(this, values);
    if (this.kind !== before) this.first = lastWhole(this.kind, this.#zone());
    remember("report.kind", this.kind);
    remember("report.site", this.site);
    const focused = document.activeElement?.dataset?.step ?? "";
    this.draw();
    if (focused) this.node.querySelector(`[data-step="${focused}"]`)?.focus();
  }

  draw() {
    const now = today(this.#zone());
    const current = firstOf(this.kind, now);
    const step = (name, to, words, disabled = false) =>
      h("button", { class: "button", type: "button", data: { step: name }, "aria-label": words, title: words, disabled, on: { click: () => this.#set({ first: to }) } }, icon("down"));
    const whole = isOver(this.kind, this.first, now);
    fill(
      this.node,
      h(
        "div",
        { class: "segments", role: "group", "aria-label": t("reports.kind") },
        KINDS.map((kind) => h("button", { type: "button", data: { kind }, "aria-pressed": String(kind === this.kind), text: t(`reports.kind.${kind}`), on: { click: () => this.#set({ kind }) } })),
      ),
      this.#siteField(),
      h(
        "div",
        { class: "period", role: "group", "aria-label": t("reports.period") },
        step("back", firstOf(this.kind, this.first, -1), t("reports.before")),
        h("strong", { class: "period-name", "aria-live": "polite", text: label(this.kind, this.first) }),
        step("forward", firstOf(this.kind, this.first, 1), t("reports.after"), this.first >= current),
        this.first !== lastWhole(this.kind, this.#zone()) && h("button", { class: "button quiet", type: "button", text: t("reports.last_whole"), on: { click: () => this.#set({ first: lastWhole(this.kind, this.#zone()) }) } }),
      ),
      !whole && h("p", { class: "muted small", text: t("reports.running") }),
      h("div", { class: "row formats" }, this.#links()),
    );
    setHidden(this.node, !this.site && !this.sites.length);
  }

  #siteField() {
    const select = h("select", { class: "select", "aria-label": t("reports.site") }, this.sites.map(({ site }) => h("option", { value: site, text: siteTitle(site), selected: site === this.site })));
    select.addEventListener("change", () => this.#set({ site: select.value }));
    return select;
  }

  #links() {
    const link = (format, tone = "") => {
      const node = h("a", { class: `button ${tone}`.trim(), href: reportAddress(this.kind, this.site, this.first, format), data: { format }, text: t(format === "html" ? "reports.open" : `reports.format.${format}`) });
      node.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.#get(node, format);
      });
      return node;
    };
    return [link("html", "primary"), FILES.map((format) => link(format)), this.said];
  }

  /** Written when it is asked for, which takes a moment; why it cannot be is said here and not on an empty page. */
  async #get(node, format) {
    if (node.getAttribute("aria-disabled")) return;
    node.setAttribute("aria-disabled", "true");
    setText(this.said, t("reports.writing"));
    this.said.className = "muted small";
    try {
      await open(node.href, format);
      setText(this.said, "");
    } catch (error) {
      this.said.className = "problem";
      setText(this.said, refusalText(error));
    } finally {
      node.removeAttribute("aria-disabled");
    }
  }
}
