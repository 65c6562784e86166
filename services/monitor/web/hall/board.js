// The board of a hall's screen: the sites and queues that its address asks for, and what is worst on them.

import { Board } from "../board.js";
import { SEVERITIES } from "../agentlist.js";
import { keyOf } from "../store.js";

const SLOW_RULE = "slow_transfer";

export class HallBoard extends Board {
  constructor(wanted) {
    super();
    this.wanted = wanted;
  }

  /** A hall has no choice of one site; its address says which. */
  site() {
    return "";
  }

  shownSites() {
    const { sites } = this.wanted;
    return this.sites().filter(({ site }) => !sites.length || sites.includes(site));
  }

  manySites() {
    return this.shownSites().length > 1;
  }

  #isShown(site) {
    const { sites } = this.wanted;
    return !sites.length || sites.includes(site);
  }

  /** The queues to show: in the order asked for, else as the server has them. */
  shownQueues() {
    const queues = [...this.store.queues.values()].filter(({ site }) => this.#isShown(site));
    const names = this.wanted.queues;
    if (!names.length) return queues;
    const place = (queue) => names.findIndex((name) => name === queue.queue || name === keyOf("queue", queue));
    return queues.filter((queue) => place(queue) >= 0).sort((one, other) => place(one) - place(other));
  }

  /** Until when what is shown of `site` is known, in milliseconds by the switch's clock; NaN when it never told its time. */
  knownUntil(site, local) {
    const now = this.clocks.now(site, local);
    if (!this.isStale(site)) return now;
    const { link, link_since: since } = this.store.sites.get(site) ?? {};
    const heard = this.clocks.sites.get(site)?.heard ?? NaN;
    return link === "down" && since ? Math.min(heard, new Date(since).getTime()) : heard;
  }

  /** Seconds from `iso` until now, as far as is known: nothing grows behind a link that is down. Null without a time. */
  lasted(site, iso, local) {
    if (!iso) return null;
    const seconds = (this.knownUntil(site, local) - new Date(iso).getTime()) / 1000;
    return Number.isNaN(seconds) ? null : Math.max(0, seconds);
  }

  /** Severity of the worst flag about the queue itself; the tile's figures speak for its callers. */
  levelOfQueue(key) {
    let level = "";
    for (const { site, subject, subject_id: id, severity } of this.store.flags.values()) {
      if (subject !== "queue" || `${site}/${id}` !== key || severity === "info") continue;
      if ((SEVERITIES[severity] ?? 0) > (SEVERITIES[level] ?? 0)) level = severity;
    }
    return level;
  }

  /**
   * What is flagged, worst first: transfers that take too long, then by severity, the oldest first; what is only good to know
   * is no matter for a hall. Items {key, site, severity, slow, started, raised, flag or transfer}.
   */
  worst() {
    const which = this.wanted.flags;
    if (which === "none") return [];
    const flags = [...this.store.flags.values()].filter(
      ({ site, subject, severity }) =>
        this.#isShown(site) && severity !== "info" && (which === "all" || subject === "queue" || subject === "site"),
    ).filter((flag) => !this.#isOfLink(flag));
    const items = flags.map((flag) => ({
      key: keyOf("flag", flag),
      site: flag.site,
      severity: flag.severity,
      slow: flag.rule === SLOW_RULE,
      started: flag.started,
      raised: flag.raised,
      flag,
    }));
    if (which === "all") items.push(...this.#slowTransfers(flags));
    return items.sort(
      (a, b) =>
        Number(b.slow) - Number(a.slow) ||
        (SEVERITIES[b.severity] ?? 0) - (SEVERITIES[a.severity] ?? 0) ||
        (a.started < b.started ? -1 : Number(a.started > b.started)),
    );
  }

  /** Whether a flag only says that the link is down: a notice of its own does, with what follows from it. */
  #isOfLink({ site, subject, started }) {
    const { link, link_since: since } = this.store.sites.get(site) ?? {};
    return subject === "site" && link === "down" && this.connection.state === "live" && since !== null && started >= since;
  }

  /** Transfers that run and are too slow, and that no flag tells of. */
  #slowTransfers(flags) {
    const told = new Set(flags.filter(({ subject }) => subject === "transfer").map((flag) => `${flag.site}/${flag.subject_id}`));
    return [...this.store.runningTransfers.values()]
      .filter((one) => one.slow === "yes" && this.#isShown(one.site))
      .filter((one) => !told.has(keyOf("transfer", one)))
      .map((transfer) => ({
        key: `transfer ${keyOf("transfer", transfer)}`,
        site: transfer.site,
        severity: "critical",
        slow: true,
        started: transfer.requested,
        raised: null,
        transfer,
      }));
  }
}
