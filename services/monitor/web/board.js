// What the panels ask: names, labels, staleness, which flag belongs to whom, and what is chosen.

import { age, clock } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { recall, remember } from "/static/shared/storage.js";
import { SEVERITIES } from "./agentlist.js";
import { point } from "./floor/agents.js";
import { summary } from "./floor/card.js";
import { place } from "/static/shared/place.js";
import { SiteClocks } from "./siteclock.js";
import { Store } from "./store.js";

export const MARKS = ["simulated", "replay"]; // what a site may be instead of real and now
const FRESH_S = 2;
const STALE_S = 3; // the switch's time arrives at least once a second; three missed mean that nothing comes

export class Board {
  constructor() {
    this.live = { store: new Store(), clocks: new SiteClocks() }; // what the feed tells
    Object.assign(this, this.live); // what is drawn: the same, except while rewound
    this.rewound = false;
    this.later = null; // what is to be done once another site is shown
    this.followed = null; // of which sites the feed tells everything; null: of all
    this.connection = { state: "connecting", since: Date.now(), reason: "" };
    this.chosenSite = place.get("site") || (place.get("view") ? "" : recall("site")); // a link says all of the view
    place.on((changed) => changed.has("site") && this.#showSite(place.get("site")));
    this.flagsByAgent = new Map();
    this.flagsByQueue = new Map();
    this.silent = new Set(); // sites whose clock has stopped although their link is said to be up
    this.epoch = null;
    this.written = { queues: "", sites: "" }; // what was last drawn of what everything shows
  }

  connect(parts) {
    Object.assign(this, parts);
  }

  hear(message) {
    const local = performance.now();
    const { store, clocks } = this.live;
    if (message.type === "snapshot") {
      if (message.epoch !== this.epoch) clocks.reset();
      this.epoch = message.epoch;
      store.replace(message.floor);
    } else if (message.type === "delta") {
      store.apply(message.changes);
    } else if (message.type === "clock") {
      for (const [site, { now, speed, age_s: age }] of Object.entries(message.sites)) {
        if (clocks.hear(site, now, speed, age ?? 0, local)) this.redrawAll();
      }
    }
    if (this.rewound) store.takeChanged(); // nobody draws it, and going back to it draws all that differs
  }

  /** Draw another picture than the feed's, {store, clocks}; null: the feed's again, which went on beside it. */
  showPicture(picture) {
    const before = this.store;
    const { store, clocks } = picture ?? this.live;
    Object.assign(this, { store, clocks, rewound: picture !== null });
    store.markOtherThan(before);
    this.silent.clear();
    this.redrawAll();
  }

  /** Notice sites that fell silent or spoke again; true when that changed. */
  tick(local) {
    let changed = false;
    for (const site of this.store.sites.keys()) {
      const age = this.clocks.age(site, local);
      const silent = age !== null && age > STALE_S;
      if (silent === this.silent.has(site)) continue;
      changed = true;
      if (silent) this.silent.add(site);
      else this.silent.delete(site);
    }
    return changed;
  }

  // sites

  sites() {
    return [...this.store.sites.values()];
  }

  manySites() {
    return this.store.sites.size > 1;
  }

  /** The chosen site, or "" for all of them. While the feed of another is on its way, the one that is still shown. */
  site() {
    const wanted = this.wantedSite();
    const here = this.followed === null || this.rewound || (wanted ? [wanted] : [...this.store.sites.keys()]).every((site) => this.followed.includes(site));
    return here ? wanted : this.followed[0];
  }

  /** The chosen site, or "" for all of them, whether or not it is shown already. */
  wantedSite() {
    return this.store.sites.has(this.chosenSite) && this.manySites() ? this.chosenSite : "";
  }

  /** Which sites must be followed for what the address asks to see, that of the agents first; null: all of them. */
  neededSites() {
    const { chosenSite, live } = this;
    if (!chosenSite || (live.store.loaded && !live.store.sites.has(chosenSite))) return null;
    const opened = [place.get("agent"), place.get("queue")].filter(Boolean).map((key) => key.split("/", 1)[0]);
    return [...new Set([chosenSite, ...opened])];
  }

  chooseSite(site) {
    remember("site", site || null);
    if (place.get("site") === site) this.#showSite(site);
    else place.update({ site, ...this.#filtersWithout(site) });
  }

  /** Filters by a queue or team of another site than `site`, each to be taken off: they would hide everybody. */
  #filtersWithout(site) {
    const others = ["of_queue", "team"].filter((name) => site && place.get(name) && !place.get(name).startsWith(`${site}/`));
    return Object.fromEntries(others.map((name) => [name, ""]));
  }

  #showSite(site) {
    this.chosenSite = site;
    this.later = null; // it was for the site that was chosen before
    this.redrawAll();
  }

  /** The sites that are shown. */
  shownSites() {
    const chosen = this.site();
    return this.sites().filter((view) => !chosen || view.site === chosen);
  }

  /** Whether it must be said what is of `site`: not where only that one is shown. */
  saysSite(site) {
    return this.manySites() && this.site() !== site;
  }

  siteLabel(site) {
    return this.store.sites.get(site)?.label || site;
  }

  /** The site's own marks in words, where the page shows several sites that differ in them; else the top bar says it. */
  markOf(site) {
    const marksOf = (view) => MARKS.filter((mark) => view?.[mark]).map((mark) => t(`mark.${mark}`)).join(" ");
    const mixed = new Set(this.shownSites().map(marksOf)).size > 1;
    return mixed ? marksOf(this.store.sites.get(site)) : "";
  }

  zone(site) {
    return this.store.sites.get(site)?.time_zone || undefined;
  }

  /** True when what we show of `site` is not of now. */
  isStale(site) {
    const view = this.store.sites.get(site);
    const away = this.connection.state !== "live" && !this.rewound;
    return away || !view || view.link !== "up" || this.silent.has(site);
  }

  hasNeverReported(site) {
    return this.store.sites.get(site)?.link === "never";
  }

  anyLive() {
    return this.shownSites().some((view) => !this.isStale(view.site));
  }

  /** No agent and no queue is known of any site: nothing to show but how to connect a switch. */
  isEmpty() {
    const { agents, queues, sites } = this.store;
    return agents.size === 0 && queues.size === 0 && [...sites.keys()].every((site) => !this.isComing(site));
  }

  /** Whether nothing of a site's agents and queues is known only because the page follows others, as yet perhaps. */
  isComing(site) {
    return this.followed !== null && !this.rewound && !this.followed.includes(site) && this.store.sites.has(site);
  }

  // ages and times

  /** Age in seconds of what is shown of `site`: a clock that goes on behind a link that is down tells nothing. Null: it never told anything. */
  pictureAge(site, local = performance.now()) {
    const known = this.clocks.age(site, local);
    const { link, link_since: since } = this.store.sites.get(site) ?? {};
    return known === null || link !== "down" ? known : Math.max(known, this.clocks.since(site, since, local) ?? 0);
  }

  /** How old what the page shows is: {text, fresh}; null while no site told anything. Of several sites some may be live. */
  freshness(local = performance.now()) {
    const sites = this.shownSites();
    const ages = sites.map(({ site }) => this.pictureAge(site, local)).filter((value) => value !== null);
    if (!ages.length) return null;
    const oldest = Math.max(...ages);
    const live = sites.filter(({ site }) => !this.isStale(site)).length;
    if (live > 0 && live < sites.length) return { text: t("site.some_live", { live, n: sites.length }), fresh: false };
    const fresh = oldest < FRESH_S && live > 0;
    return { text: t(fresh ? "site.fresh" : "site.age", { age: age(oldest) }), fresh };
  }

  /** Seconds since `entity` = {site, seen} was last heard of, on the site's clock and while that stands on ours; null: never. */
  ageOf({ site, seen }, local = performance.now()) {
    const heard = this.clocks.since(site, seen, local);
    return heard === null ? null : heard + this.clocks.stands(site, local);
  }

  ageText(entity, local) {
    const known = this.ageOf(entity, local);
    return known === null ? "" : age(known);
  }

  /** A moment as the site's wall clock shows it. */
  time(site, iso) {
    return clock(iso, this.zone(site));
  }

  // names

  queueLabel(site, queue) {
    return this.store.queues.get(`${site}/${queue}`)?.label || queue;
  }

  /** Whether queues are called otherwise, or are others, than when this was last asked: all that names them is then drawn anew. */
  namesChanged(changed) {
    if (!changed.has("queue")) return false;
    return this.#differs("queues", [...this.store.queues].map(([key, { label }]) => [key, label]));
  }

  /** The same for what sites are called, whether they are to be believed, and what marks they carry; their time does not count. */
  sitesChanged(changed) {
    if (!changed.has("site")) return false;
    return this.#differs("sites", [...this.store.sites.values()].map(({ now, heard, skew_s, anomalies, ...rest }) => rest));
  }

  #differs(what, now) {
    const text = JSON.stringify(now);
    const other = text !== this.written[what];
    this.written[what] = text;
    return other;
  }

  agentName(site, agent) {
    return this.store.agents.get(`${site}/${agent}`)?.name || agent;
  }

  // flags

  summary(flag) {
    return summary(flag);
  }

  flagOf(agentKey) {
    return this.flagsByAgent.get(agentKey) ?? null;
  }

  flagOfQueue(queueKey) {
    return this.flagsByQueue.get(queueKey) ?? null;
  }

  /** Give each flag to the agent and the queue that it is about; each keeps its worst. Returns the agents for whom that changed. */
  indexFlags() {
    const before = this.flagsByAgent;
    this.flagsByAgent = new Map();
    this.flagsByQueue.clear();
    for (const flag of this.store.flags.values()) {
      const agent = this.agentOfFlag(flag);
      const queue = ["queue", "call"].includes(flag.subject) || !agent ? this.queueOfFlag(flag) : null;
      if (agent) keepWorst(this.flagsByAgent, agent, flag);
      if (queue) keepWorst(this.flagsByQueue, queue, flag);
    }
    const keys = [...before.keys(), ...this.flagsByAgent.keys()];
    return new Set(keys.filter((key) => before.get(key) !== this.flagsByAgent.get(key)));
  }

  agentOfFlag({ site, subject, subject_id: id, labels }) {
    const { agents, transfers } = this.store;
    const candidates = [
      subject === "agent" ? id : null,
      labels.agent,
      subject === "transfer" ? transfers.get(`${site}/${id}`)?.from_agent : null,
    ];
    for (const candidate of candidates) if (candidate && agents.has(`${site}/${candidate}`)) return `${site}/${candidate}`;
    return this.agentOfCall(`${site}/${subject === "call" ? id : labels.call}`);
  }

  /** The agent whose card shows a call, or one who has a leg in it; null when nobody has. */
  agentOfCall(key) {
    const shown = this.store.agentOfCall.get(key);
    if (shown) return shown;
    const call = this.store.calls.get(key);
    const leg = call?.legs.find((one) => this.store.agents.has(`${call.site}/${one.agent_id}`));
    return leg ? `${call.site}/${leg.agent_id}` : null;
  }

  queueOfFlag({ site, subject, subject_id: id, labels }) {
    const call = this.store.calls.get(`${site}/${subject === "call" ? id : labels.call}`);
    const queue = subject === "queue" ? id : labels.queue || call?.queue;
    return queue && this.store.queues.has(`${site}/${queue}`) ? `${site}/${queue}` : null;
  }

  /** Where a flag is, in words: who, which queue, which site. */
  whereOf(flag) {
    const agent = this.store.agents.get(this.agentOfFlag(flag) ?? "");
    const queue = this.store.queues.get(this.queueOfFlag(flag) ?? "");
    return [
      agent && (agent.name || agent.agent_id),
      agent?.team,
      queue && (queue.label || queue.queue),
      this.saysSite(flag.site) && this.siteLabel(flag.site),
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /** Bring into view what a flag is about; another site comes first, and that a moment later. */
  focusFlag(flag) {
    const elsewhere = this.site() && this.site() !== flag.site && this.store.sites.has(flag.site);
    if (elsewhere) {
      this.chooseSite(flag.site);
      this.later = () => this.focusFlag(flag);
      return;
    }
    const agent = this.agentOfFlag(flag);
    if (agent && this.agents.focus(agent)) return;
    this.#focusQueue(this.queueOfFlag(flag));
  }

  /** Call after each drawing: what waited for another site to be shown is done. */
  drawn() {
    if (this.site() !== this.wantedSite()) return;
    const { later } = this;
    this.later = null;
    later?.();
  }

  focusTransfer({ site, from_agent: from, to_agent: to }) {
    if (!this.agents.focus(`${site}/${from}`)) this.agents.focus(`${site}/${to}`);
  }

  #focusQueue(key) {
    const node = key && this.queues.focus(key);
    if (node) point(node);
  }

  // choices

  filterQueue(key) {
    this.agents.view.toggle("queue", key);
  }

  queueFilter() {
    return this.agents?.view.filter.queue ?? "";
  }

  /** Something else was chosen above the agents: the queues show which of them is. */
  chosen() {
    this.queues?.update();
  }

  /** Show all of one agent; `wallboard.js` says how. */
  openAgent(key) {
    this.opens?.agent(key);
  }

  /** Show all of one queue. */
  openQueue(key) {
    this.opens?.queue(key);
  }
}

function keepWorst(map, key, flag) {
  const held = map.get(key);
  if (!held || (SEVERITIES[flag.severity] ?? 0) > (SEVERITIES[held.severity] ?? 0)) map.set(key, flag);
}
