// What a screen reader is told without being asked: newly raised critical flags of what is shown, and nothing else.

import { setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { summary } from "./floor/card.js";

export class Announcer {
  constructor(node, board) {
    Object.assign(this, { node, board, told: null });
  }

  /** Called after each drawing; what was there at the first one is nothing new. */
  announce(changed) {
    if (!changed && this.told !== null) return;
    const critical = [...this.board.store.flags.entries()].filter(([, flag]) => flag.severity === "critical");
    const site = this.board.site();
    const here = critical.filter(([, flag]) => !site || flag.site === site);
    const fresh = this.told === null ? [] : here.filter(([key]) => !this.told.has(key));
    this.told = new Set(critical.map(([key]) => key));
    if (fresh.length === 1) setText(this.node, t("announce.flag", { summary: summary(fresh[0][1]) }));
    else if (fresh.length) setText(this.node, t("announce.flags", { n: fresh.length }));
  }
}
