// What stands where no incident does: why that is, and whether it is good news.

import { api } from "/static/shared/api.js";
import { fill, h, setText } from "/static/shared/dom.js";
import { age, dateTime } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { serverNow } from "../time.js";
import { summaryOf } from "../words.js";
import { flagsLost } from "./notices.js";

const ASK_AGAIN_MS = 60_000;

export class Empty {
  constructor(root, { onOpen }) {
    Object.assign(this, { root, onOpen, last: undefined, askedAt: -Infinity });
  }

  /** `sites`: as the health strip knows them, or null. */
  draw({ source, view, sites }) {
    const { connection, status, loading, failure } = source;
    if (connection.state === "lost" || connection.state === "refused" || failure) return this.#write("away", [icon("stale"), h("p", { text: t("away.empty") })]);
    if (!status || loading) return this.#write("loading", [h("p", { text: t("empty.loading") })]);
    if (view.view === "unresolved" && status.state !== "live") {
      return this.#write(`lost ${status.since} ${status.reason}`, [icon("stale"), h("strong", { text: flagsLost(status) }), h("p", { text: status.reason })]);
    }
    if (view.narrowed || view.view !== "unresolved") {
      const clear = h("button", { class: "button", type: "button", text: t("filter.clear"), on: { click: () => view.clear() } });
      return this.#write(`narrowed ${view.narrowed}`, [h("p", { text: t(view.narrowed ? "empty.filter" : "empty.view") }), view.narrowed && clear]);
    }
    this.#askLast();
    this.#good(status, sites);
  }

  /** Nothing is open: how we know. */
  #good(status, sites) {
    const heard = sites?.filter((one) => one.state === "ok").length;
    const all = !sites || heard === sites.length; // of a site that is not heard of nothing is known, and that is not good
    const { last } = this;
    const words = [
      [t("empty.since", { time: dateTime(status.since) })],
      sites?.length && [t(all ? "empty.sites" : "empty.sites.some", { n: sites.length, m: heard })],
      last && [t("empty.last", { n: last.id, what: summaryOf(last) }), this.#open(last)],
      last === null && [t("empty.never")],
    ].filter(Boolean);
    this.#write(`${all ? "good" : "partly"} ${JSON.stringify(words.map(([text]) => text))}`, [
      icon(all ? "ok" : "warning"),
      h("strong", { text: t("empty.none") }),
      h("p", { text: t(all ? "empty.none.hint" : "empty.partly") }),
      h("ul", { class: "empty-facts" }, words.map(([text, extra]) => h("li", {}, h("span", { text }), extra))),
    ]);
    const ago = this.root.querySelector(".empty-ago");
    if (ago && last) setText(ago, t("empty.ago", { age: age((serverNow() - new Date(last.opened_at).getTime()) / 1000) }));
  }

  #open(last) {
    return [" ", h("span", { class: "empty-ago" }), " ", h("button", { class: "button quiet", type: "button", text: t("empty.look"), on: { click: () => this.onOpen(last.id) } })];
  }

  async #askLast() {
    if (performance.now() - this.askedAt < ASK_AGAIN_MS) return;
    this.askedAt = performance.now();
    try {
      this.last = (await api.get("/api/v1/incidents", { limit: 1 })).incidents[0] ?? null;
    } catch {
      this.last = undefined; // then it says nothing of it
    }
  }

  /** One was just resolved, or another opened: what was last is otherwise. */
  forget() {
    this.askedAt = -Infinity;
  }

  #write(what, nodes) {
    const written = `${document.documentElement.lang} ${what}`;
    if (this.root.written === written) return;
    this.root.written = written;
    this.root.dataset.good = what.startsWith("good") ? "yes" : "";
    fill(this.root, nodes);
  }
}
