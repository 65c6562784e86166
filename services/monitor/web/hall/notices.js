// What is wrong with the data itself, large enough for a hall; and what there is to say while no queue can be shown.

import { fill, h, keyed, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { me, scope } from "/static/shared/me.js";
import { sees } from "/static/shared/sees.js";
import { soundState } from "/static/shared/alarms/sound.js";

const PATIENCE_MS = 2500; // a first connection usually takes a tenth of that

export class HallNotices {
  constructor(root, nothing, board) {
    Object.assign(this, { root, nothing, board, status: board.connection });
    this.heading = h("p", { class: "nothing-title" });
    this.meaning = h("p", { class: "nothing-meaning" });
    fill(nothing, icon("brand"), this.heading, this.meaning);
    me().catch(() => {}); // what this screen may see is part of why it shows nothing
  }

  connection(status) {
    this.status = status;
  }

  tick(local = performance.now()) {
    const items = [...this.#ofConnection(), ...this.#ofSites(local), ...this.#ofSound()];
    keyed(
      this.root,
      items,
      ({ key }) => key,
      () => {
        const node = h("p", { class: "hall-notice" }, icon("warning"));
        node.text = h("span", { class: "notice-text" });
        node.next = h("span", { class: "notice-next", "aria-hidden": "true" });
        node.append(node.text, node.next);
        return node;
      },
      (node, { tone, text, next = "" }) => {
        setData(node, "tone", tone);
        setIcon(node.firstChild, tone === "info" ? "info" : tone);
        setText(node.text, text);
        setText(node.next, next);
      },
    );
    this.#drawNothing();
  }

  #ofConnection() {
    const { state, since, reason, retryAt } = this.status;
    if (state === "live" || (state === "connecting" && Date.now() - since < PATIENCE_MS)) return [];
    const left = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const zone = this.board.zone(this.board.shownSites()[0]?.site); // that of the clock above
    const text =
      state === "refused"
        ? t("hall.refused", { reason })
        : t(state === "lost" ? "hall.lost" : "hall.unreachable", { time: clock(since, zone) });
    return [{ key: "connection", tone: "critical", text, next: t(left > 0 ? "hall.retry" : "hall.trying", { n: left }) }];
  }

  #ofSites(local) {
    const { board } = this;
    if (!board.store.loaded || board.connection.state !== "live") return [];
    const troubled = board.shownSites().filter((view) => view.link !== "up" || board.silent.has(view.site));
    const kinds = new Map(); // several sites in the same trouble are one notice
    for (const view of troubled) {
      const kind = view.link === "up" ? "silent" : view.link;
      const time = kind === "never" ? "" : clock(board.knownUntil(view.site, local), view.time_zone);
      kinds.set(kind, [...(kinds.get(kind) ?? []), { site: board.siteLabel(view.site), time }]);
    }
    return [...kinds].map(([kind, sites]) => ({ key: `site ${kind}`, tone: kind === "never" ? "info" : "warning", text: told(kind, sites) }));
  }

  /** A screen that is to sound and cannot says so; nobody would notice otherwise. `sound` is set when it is to. */
  #ofSound() {
    if (!this.sound || soundState() === "running") return [];
    return [{ key: "sound", tone: "info", text: t("alarm.blocked.hall") }];
  }

  #drawNothing() {
    const { board } = this;
    const { loaded } = board.store;
    const shown = loaded && board.shownQueues().length > 0;
    setHidden(this.nothing, shown);
    if (shown) return;
    const { sites, queues } = board.wanted;
    const names = (queues.length ? queues : sites).join(", ");
    const unknown = queues.length && board.shownSites().length ? "hall.unknown" : "hall.unknown.site";
    if (!loaded) setText(this.heading, t("hall.connecting"));
    else if (board.store.queues.size && names) setText(this.heading, t(unknown, { names: unknown === "hall.unknown.site" ? sites.join(", ") : names }));
    else setText(this.heading, t("hall.empty"));
    const what = scope() ? sees(scope()) : "";
    const meaning = board.store.queues.size ? "hall.unknown.meaning" : what ? "hall.part.meaning" : "hall.empty.meaning";
    setText(this.meaning, loaded ? t(meaning, { address: `${location.origin}/`, what }) : "");
  }
}

/** "No link to the switches of Berlin (since 18:16:37), Demo floor (since 18:20:02)." */
function told(kind, sites) {
  if (sites.length === 1) return t(`hall.${kind}`, sites[0]);
  const each = sites.map((one) => (one.time ? t("hall.one_of", one) : one.site));
  return t(`hall.${kind}.many`, { sites: each.join(t("hall.and")) });
}
