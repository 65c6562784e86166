// What keeps this page from its work, besides the feed: no database, no permission by the site's policy now, no sound in this browser.

import { fill, h } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { audioSupport, troubleWords } from "./sound/support.js";

const TOLD_MS = 8000;

export class ListenTroubles {
  constructor(root) {
    Object.assign(this, { root, drawn: "", told: null });
  }

  /** Something did not work just now; shown for some seconds. `changed()` when that is over. */
  tell(title, hint, changed) {
    clearTimeout(this.told?.timer);
    const over = () => {
      this.told = null;
      changed();
    };
    this.told = { title, hint, timer: setTimeout(over, TOLD_MS) };
    changed();
  }

  /** `trouble`: why listens and claims are not told, an ApiError or null; `policy` of `site`, null while it is not known. */
  update({ trouble, policy, site, away }) {
    const found = [];
    const { listen } = audioSupport();
    if (listen) found.push({ tone: "critical", ...troubleWords(listen) });
    if (trouble && !away) found.push({ tone: "warning", title: t(trouble.status === 503 ? "listen.trouble.away" : "listen.trouble.server"), hint: t("listen.trouble.hint", { why: trouble.detail || trouble.title }) });
    if (policy && !policy.allowed) found.push({ tone: "warning", title: t("listen.trouble.policy", { site }), hint: t("listen.trouble.policy.hint") });
    else if (policy && !policy.open_now) found.push({ tone: "warning", title: t("listen.trouble.hours", { site }), hint: t("listen.trouble.hours.hint") });
    if (this.told) found.push({ tone: "warning", title: this.told.title, hint: this.told.hint });
    const text = JSON.stringify(found);
    if (text === this.drawn) return;
    this.drawn = text;
    fill(this.root, found.map(({ tone, title, hint }) => h("div", { class: "notice", data: { tone }, role: "status" }, icon(tone), h("div", {}, h("strong", { text: title }), " ", h("span", { text: hint })))));
  }
}
