// Whether every site is heard of: one word where all is well, a name for each where it is not.

import { api } from "/static/shared/api.js";
import { fill, h, setHidden } from "/static/shared/dom.js";
import { age } from "/static/shared/format.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { learnSites, siteName } from "../sites.js";

const EVERY_MS = 10_000;
const NAMED = 3;

export class Health {
  /** `onChange()` when what is known is otherwise. */
  constructor(root, { onChange }) {
    this.node = h("div", { class: "health", role: "status", hidden: true });
    this.sites = null; // [{site, state, silent_for_s, lag_s, dead_letters_recent}]
    this.onChange = onChange;
    root.append(this.node);
    onLanguage(() => this.#draw());
  }

  start() {
    const ask = async () => {
      if (!document.hidden) await this.ask();
      this.timer = setTimeout(ask, EVERY_MS);
    };
    ask();
    return this;
  }

  async ask() {
    try {
      const found = await api.get("/api/v1/health/sites");
      this.sites = found.sites ?? found;
      learnSites(this.sites);
    } catch {
      this.sites = null; // away, which the page says elsewhere, or a service that does not know
    }
    this.#draw();
    this.onChange();
  }

  #draw() {
    const bad = (this.sites ?? []).filter(troubled);
    const written = JSON.stringify([document.documentElement.lang, this.sites?.length, bad.map(words)]);
    if (this.node.written === written) return;
    this.node.written = written;
    setHidden(this.node, !this.sites?.length);
    if (!this.sites?.length) return;
    if (!bad.length) return fill(this.node, badge("ok", "ok", t("health.ok", { n: this.sites.length })));
    fill(
      this.node,
      bad.slice(0, NAMED).map((site) => badge(site.state === "silent" ? "critical" : "warning", SHAPES[site.state] ?? "warning", words(site))),
      bad.length > NAMED && h("span", { class: "muted", text: t("health.more", { n: bad.length - NAMED }) }),
    );
  }
}

const SHAPES = { silent: "stale", never_heard: "offline", unknown: "unknown" };
const BEHIND_S = 30;

function troubled({ state, lag_s: lag }) {
  return state !== "ok" || lag >= BEHIND_S;
}

function words({ site: id, state, silent_for_s: silent, lag_s: lag }) {
  const site = siteName(id);
  if (state === "silent") return t("health.silent", { site, age: age(silent) });
  if (state === "never_heard") return t("health.never", { site });
  if (state === "unknown") return t("health.unknown", { site });
  return t("health.behind", { site, age: age(lag) });
}

const badge = (tone, shape, text) => h("span", { class: "badge", data: { tone } }, icon(shape), text);
