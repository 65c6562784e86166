// What was written by schedule, and what came of it: for whom, when, sent or not.

import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { dateTime, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { PAGE, Paged } from "../paged.js";
import { learnSites, siteName, siteTitle } from "../sites.js";
import { listWritten, reportAddress } from "./asking.js";
import { KINDS, label } from "./period.js";

const TONES = { posted: "ok", writing: "info", nothing: "quiet", no_channel: "warning", failed: "critical" };
const ICONS = { posted: "ok", writing: "timer", nothing: "offline", no_channel: "warning", failed: "critical" };

export class Written extends Paged {
  constructor() {
    super();
    this.kind = "";
    this.kinds = h("select", { class: "select" });
    this.kinds.addEventListener("change", () => {
      this.kind = this.kinds.value;
      this.refresh();
    });
  }

  async ask(cursor) {
    const page = await listWritten({ kind: this.kind, limit: PAGE, cursor });
    learnSites(page.reports);
    return { rows: page.reports, next: page.next_cursor };
  }

  draw() {
    this.kinds.setAttribute("aria-label", t("reports.kind"));
    fill(this.kinds, h("option", { value: "", text: t("reports.kind.any") }), KINDS.map((kind) => h("option", { value: kind, text: t(`reports.kind.${kind}`), selected: kind === this.kind })));
    setText(this.more, t("reports.more"));
    setHidden(this.more, !this.cursor);
    if (this.failure) return fill(this.body, h("div", { class: "empty" }, icon("stale"), h("p", { text: this.failure.status === 404 ? t("reports.none") : this.failure.detail || t("reports.away") })));
    if (!this.asked) return fill(this.body, h("p", { class: "empty", text: t("reports.loading") }));
    if (!this.rows.length) return fill(this.body, h("div", { class: "empty" }, icon("info"), h("strong", { text: t("reports.none") }), h("p", { text: t("reports.none.hint") })));
    fill(
      this.body,
      h(
        "div",
        { class: "table-scroll" },
        h(
          "table",
          { class: "written" },
          h("thead", {}, h("tr", {}, ["period", "kind", "site", "receiver", "written", "outcome"].map((name) => h("th", { scope: "col", text: t(`reports.col.${name}`) })), h("th", { scope: "col" }, h("span", { class: "visually-hidden", text: t("reports.col.open") })))),
          h("tbody", {}, this.rows.map(row)),
        ),
      ),
    );
  }
}

function row(one) {
  const at = (format) => reportAddress(one.kind, one.site, one.first, format);
  const partly = one.complete !== null && one.complete < 1;
  return h(
    "tr",
    {},
    h("th", { scope: "row", class: "written-period", text: label(one.kind, one.first) }),
    h("td", { text: t(`reports.kind.${one.kind}`) }),
    h("td", { text: siteName(one.site), title: siteTitle(one.site) }),
    h("td", { text: one.receiver }),
    h("td", { class: "nowrap", text: dateTime(one.written_at ?? one.due_at) }),
    h(
      "td",
      {},
      h("span", { class: "badge", data: { tone: TONES[one.state] } }, icon(ICONS[one.state]), t(`reports.state.${one.state}`)),
      partly && h("div", { class: "muted small", text: t("reports.partly", { share: percent(one.complete) }) }),
      one.answer && h("div", { class: "muted small", text: one.answer }),
    ),
    h("td", { class: "nowrap written-links" }, h("a", { href: at("html"), target: "_blank", rel: "noopener", text: t("reports.open") })),
  );
}
