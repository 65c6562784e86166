// Rewind: the board shows one site's floor of an earlier moment. The feed goes on beside it and is not drawn; going back to now
// shows what it has by then. The address holds the moment, so that a link shows it to others.
//
//     board.rewind = new Rewind(board, { tools: bar.tools, root: element("rewind-bar") });

import { ApiError, api } from "/static/shared/api.js";
import { h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { clock } from "/static/shared/format.js";
import { onLanguage, t, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { may, me } from "/static/shared/me.js";
import { onTick } from "/static/shared/ticker.js";
import { place } from "/static/shared/place.js";
import { Store } from "../store.js";
import { RewindBar, SPEEDS } from "./bar.js";
import { PastClock } from "./pastclock.js";
import { Pictures } from "./pictures.js";
import strings from "./strings.js";

useStrings(strings);

const OPENS_AGO_MS = 60_000;
const PICTURE_EVERY_MS = 1000; // while it plays, ours
const REACH_EVERY_MS = 30_000;
const AT_NOW_MS = 1500; // nearer to now than this there is nothing to play
const TELL_MS = 700; // after the last step: who walks through minutes need not hear of each

const wholeSecond = (at) => Math.floor(at / 1000) * 1000;

export class Rewind {
  constructor(board, { tools, root }) {
    Object.assign(this, { board, root, opened: false, active: false, site: "", at: NaN, reach: null });
    Object.assign(this, { playing: false, speed: SPEEDS[0], span: 0, asked: 0, reachedAt: 0, telling: null, written: "", store: null, siteBefore: "", edge: "" });
    this.word = h("span", { class: "rewind-open-word" });
    this.button = h("button", { class: "button quiet rewind-open", type: "button", hidden: true }, icon("rewind"), this.word);
    this.button.addEventListener("click", () => (this.opened ? this.leave() : this.open()));
    tools.append(this.button);
    this.bar = new RewindBar(root, {
      move: (at, settled) => this.#seek(at, settled),
      step: (seconds) => this.#seek(this.#now() + seconds * 1000, true),
      play: () => this.#play(!this.playing),
      speed: (speed) => this.#speed(speed),
      span: (span) => this.#span(span),
      site: (site) => this.open(site, this.at),
      back: () => this.leave(),
    });
    this.pictures = new Pictures({
      onPicture: (picture, wanted) => this.#show(picture, wanted.at),
      onError: (error, again) => this.#refused(error, again),
    });
    this.clock = new PastClock();
    place.on((changed) => changed.has("at") && this.#follow());
    onLanguage(() => this.#draw());
    onTick((local) => this.#tick(local));
    this.#draw();
    me().then(() => this.#permitted());
  }

  #permitted() {
    setHidden(this.button, !may("history.read"));
    this.#follow();
  }

  /** Do as the address says. Waits for the first picture of now, which names the sites. */
  #follow() {
    const at = Date.parse(place.get("at"));
    if (this.opened && place.get("at") === this.written) return;
    if (Number.isNaN(at)) {
      if (this.opened) this.leave();
    } else if (may("history.read")) {
      this.open(place.get("site"), at);
    } else {
      this.#deny();
    }
  }

  /** Somebody opened a link to a moment and may not look back: say that this is now, which it would be taken for otherwise. */
  #deny() {
    setHidden(this.root, false);
    this.#draw();
    this.bar.say(t("rewind.error.denied"), "warning");
  }

  // in and out

  /** Show the bar, and the floor of `at`; a minute ago if that is not said. Which site must be known or is asked for. */
  async open(site = "", at = NaN) {
    const sites = this.board.live.store.sites;
    if (!this.opened) Object.assign(this, { store: new Store(), siteBefore: place.get("site") });
    if (site && this.site && site !== this.site) this.store = new Store();
    this.opened = true;
    this.site = site || this.site || this.board.site() || (sites.size === 1 ? [...sites.keys()][0] : "");
    this.clock.set(at);
    this.at = at;
    setHidden(this.root, false);
    this.#draw();
    if (!this.site && !sites.size) {
      if (this.board.live.store.loaded) this.bar.say(t("rewind.error.empty"));
      return; // the tick looks again
    }
    if (!this.site) {
      this.bar.say(t("rewind.choose.why"));
      this.bar.sites.focus();
      return;
    }
    this.bar.say(this.active ? "" : t("rewind.preparing"));
    await this.#askReach();
    if (this.opened && this.reach) this.#seek(Number.isNaN(at) ? this.reach.to - OPENS_AGO_MS : at, true);
  }

  /** Back to now. */
  leave() {
    const wasActive = this.active;
    const hadFocus = this.root.contains(document.activeElement);
    this.pictures.stop();
    Object.assign(this, { opened: false, active: false, playing: false, at: NaN, site: "", reach: null, store: null, written: "" });
    clearTimeout(this.telling);
    setHidden(this.root, true);
    setData(document.body, "rewound", null);
    if (wasActive) {
      this.board.showPicture(null);
      this.bar.tell(t("rewind.back_told"));
      document.title = t("board.title");
    }
    if (hadFocus || (wasActive && document.activeElement === document.body)) this.button.focus();
    if (place.get("at")) place.update({ at: null, site: this.siteBefore });
    this.#draw();
  }

  async #askReach() {
    const { site } = this;
    this.reachedAt = performance.now();
    try {
      const { from, to, flags } = await api.get(`/api/v1/rewind/${encodeURIComponent(site)}`);
      if (site !== this.site) return;
      const raised = flags.map(({ at, severity }) => ({ at: Date.parse(at), severity }));
      this.reach = { from: Date.parse(from), to: Date.parse(to), flags: raised };
      this.#drawReach();
    } catch (error) {
      if (site === this.site) this.#refused(error, false);
    }
  }

  // moments

  /** The moment that is shown or asked for. */
  #now(local) {
    return this.playing ? this.clock.now(this.site, local) : this.at;
  }

  #seek(wanted, settled) {
    if (!this.reach) return;
    const latest = this.#latest();
    const first = this.reach.from + 999;
    const at = wholeSecond(Math.min(Math.max(wanted, first), latest));
    this.edge = wanted < first ? t("rewind.first", { time: clock(at, this.#zone()) }) : "";
    this.at = at;
    this.clock.set(at, this.playing ? this.speed : 0);
    this.#ask(at);
    this.#drawMoment();
    this.#drawReach();
    if (settled && this.active) this.#tellSoon(); // else when there is something to see
  }

  #tellSoon() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.bar.tell(t("rewind.told", { time: clock(this.at, this.#zone()) })), TELL_MS);
  }

  #ask(at) {
    this.asked = performance.now();
    this.pictures.want(this.site, at);
    if (!this.active) this.bar.say(t("rewind.loading", { time: clock(at, this.#zone()) }));
  }

  #show({ floor }, at) {
    if (!this.opened) return;
    this.store.replace(floor);
    this.clock.shown(at);
    this.bar.say(this.edge);
    if (!this.active) {
      this.active = true;
      setData(document.body, "rewound", "yes");
      this.board.showPicture({ store: this.store, clocks: this.clock });
      this.#draw();
      this.#tellSoon();
    } else {
      this.board.redrawAll();
    }
    const before = place.get("at");
    this.written = new Date(wholeSecond(at)).toISOString().replace(".000Z", "Z");
    place.update({ at: this.written, site: this.#sites().length > 1 ? this.site : place.get("site") }, { replace: before !== "" });
  }

  /** The last moment there is: the site's clock of now. */
  #latest() {
    const now = this.board.live.clocks.now(this.site);
    return Number.isNaN(now) ? this.reach.to : now - 1000;
  }

  #play(on) {
    const at = this.#now();
    this.playing = on;
    this.at = at;
    this.clock.set(at, on ? this.speed : 0);
    this.clock.shown(at);
    this.#draw();
    if (!on) this.#ask(at);
  }

  #speed(speed) {
    this.speed = speed;
    if (this.playing) this.#play(true);
    this.#draw();
  }

  #span(span) {
    this.span = span;
    this.#draw();
    this.#drawReach();
  }

  #tick(local) {
    if (!this.opened) return;
    if (!this.reach) {
      if (this.site ? local - this.reachedAt > REACH_EVERY_MS / 10 : this.board.live.store.loaded && this.bar.sites.hidden) {
        this.open(this.site || place.get("site"), this.at);
      }
      return;
    }
    if (local - this.reachedAt > REACH_EVERY_MS) this.#askReach();
    this.#drawMoment(local);
    if (!this.playing || !this.active) return;
    const at = this.#now(local);
    this.at = at;
    if (at >= this.#latest() - AT_NOW_MS) this.leave();
    else if (local - this.asked >= PICTURE_EVERY_MS && !this.pictures.busy) this.#ask(at);
  }

  #refused(error, again) {
    if (!this.opened) return;
    const { status, message } = error instanceof ApiError ? error : { status: -1, message: String(error) };
    if (again) return this.bar.say(t("rewind.error.busy"), "warning");
    const first = this.reach && clock(this.reach.from, this.#zone());
    const words = {
      0: () => t("rewind.error.away"),
      503: () => t("rewind.error.away"),
      403: () => t("rewind.error.denied"),
      404: () => t("rewind.error.site"),
      409: () => (first ? t("rewind.error.early", { time: first }) : t("rewind.error.nothing")),
      410: () => t("rewind.error.gone"),
    };
    this.bar.say(words[status]?.() ?? t("rewind.error.other", { why: message }), "warning");
    if (this.playing) this.#play(false);
  }

  // drawing

  #sites() {
    return [...this.board.live.store.sites.values()];
  }

  #zone() {
    const view = this.board.live.store.sites.get(this.site) ?? this.store?.sites.get(this.site);
    return view?.time_zone || undefined;
  }

  #draw() {
    setText(this.word, t("rewind.open"));
    setAttr(this.button, "title", t("rewind.open.hint"));
    setAttr(this.button, "aria-expanded", String(this.opened));
    const { playing, speed, span, site } = this;
    this.bar.draw({ playing, speed, span, site, sites: this.#sites(), ready: this.reach !== null, active: this.active });
    if (this.reach) this.#drawMoment();
  }

  #drawReach() {
    if (!this.reach) return;
    const to = Math.max(this.#latest(), this.reach.from + 1000);
    const from = this.span ? Math.max(this.reach.from, Math.min(to - this.span * 1000, this.at)) : this.reach.from;
    this.bar.line.reach(from, to, this.#zone(), this.reach.flags);
    this.#draw();
  }

  #drawMoment(local) {
    const at = this.#now(local);
    this.bar.moment(at, this.board.live.clocks.now(this.site, local), this.#zone());
    if (this.active) document.title = t("rewind.page", { time: clock(at, this.#zone()) });
  }
}
