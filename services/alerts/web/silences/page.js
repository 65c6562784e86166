// The silences page: what is held back, what will be, what was; and new ones, from scratch or from an incident.

import codes from "/static/shared/codes/strings.js";
import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { actorKnown, mayAct, rememberName } from "../actor.js";
import { subnav } from "../nav.js";
import { learnSites } from "../sites.js";
import shared from "../strings.js";
import { endSilence, getIncident, listSilences, listSites, refusalText } from "./asking.js";
import { SilenceForm } from "./form.js";
import { SilenceList } from "./list.js";
import { fromIncident, rowsOf } from "./matchers.js";
import strings from "./strings.js";
import { hereZone } from "./zonetime.js";
import { watchService } from "./watching.js";

const STANDINGS = ["in_force", "planned", "over"];

useStrings(shared);
useStrings(strings);
translateTree(document);

const bar = topbar(document.getElementById("topbar"), { page: "alerts" });
subnav(document.getElementById("subnav"), { page: "silences" });
const notices = document.getElementById("notices");
const place = document.getElementById("form");
const head = document.getElementById("head");
const body = document.getElementById("list");
const search = new URLSearchParams(location.search);

const chosen = { standing: "in_force" };
const found = { silences: [], counts: {}, cursor: null, failure: "", asked: false };
const zones = new Map();
const sites = [];
let form = null;
let origin = null; // the incident that a new one is made from
let turn = 0;

const list = new SilenceList({ onEnd: end, onAgain: again });
const empty = h("div", { class: "empty" });
const more = h("button", { class: "button", type: "button", hidden: true, on: { click: () => refetch(found.cursor) } });
const zone = h("p", { class: "muted small zone" });
fill(body, list.node, empty, h("div", { class: "row more" }, more), zone);

async function refetch(cursor = "") {
  const mine = ++turn;
  try {
    const [page, ...others] = await Promise.all([listSilences(chosen.standing, cursor), ...(cursor ? [] : STANDINGS.slice(0, 2).map((one) => listSilences(one)))]);
    if (mine !== turn) return;
    found.silences = cursor ? [...found.silences, ...page.silences] : page.silences;
    found.cursor = page.next_cursor;
    others.forEach((other, index) => (found.counts[STANDINGS[index]] = `${other.silences.length}${other.next_cursor ? "+" : ""}`));
    Object.assign(found, { failure: "", asked: true });
  } catch (error) {
    if (mine !== turn) return;
    Object.assign(found, { failure: refusalText(error), asked: true });
  }
  show();
}

function show() {
  fill(
    head,
    h(
      "div",
      { class: "segments", role: "group", "aria-label": t("silences.which") },
      STANDINGS.map((one) => h("button", { type: "button", data: { standing: one }, "aria-pressed": String(one === chosen.standing), text: `${t(`silences.${one}`)}${found.counts[one] ? ` ${found.counts[one]}` : ""}`, on: { click: () => choose(one) } })),
    ),
    mayAct() && !form && h("div", { class: "row silence-new" }, newButton("silence", "primary"), newButton("maintenance")),
  );
  list.show(found.silences);
  setHidden(more, !found.cursor);
  setText(more, t("silences.more"));
  setText(zone, found.silences.length ? t("silences.zone", { zone: hereZone() }) : "");
  setHidden(empty, found.silences.length > 0);
  fill(empty, found.asked ? [icon(chosen.standing === "over" ? "info" : "ok"), h("strong", { text: t(`silences.none.${chosen.standing}`) }), chosen.standing === "in_force" && h("p", { text: t("silences.none.hint") })] : h("p", { text: t("silences.loading") }));
  fill(notices, found.failure && h("div", { class: "notice", data: { tone: "critical" }, role: "alert" }, icon("critical"), h("p", { text: found.failure })));
}

function newButton(kind, tone = "") {
  return h("button", { class: `button ${tone}`.trim(), type: "button", data: { new: kind }, text: t(`silence.new.${kind}`), on: { click: () => openForm(kind) } });
}

function choose(standing) {
  chosen.standing = standing;
  found.silences = [];
  refetch();
}

function openForm(kind, rows = [], offered = [], zone = "", typed = null) {
  form = new SilenceForm({
    onMade(made) {
      closeForm();
      chosen.standing = made.standing;
      refetch().then(() => document.getElementById(`silence-${made.id}`)?.focus());
    },
    onCancel: closeForm,
    zoneOf: (site) => zones.get(site) ?? "",
  });
  form.setKind(kind);
  form.begin(rows, offered, zone);
  if (typed) form.type(typed);
  form.matchers.suggest({ site: sites, rule: ruleNames() });
  fill(place, origin && h("p", { class: "muted origin" }, t("silence.from"), " ", h("a", { href: `/#incident=${origin}`, text: `#${origin}` })), form.node);
  show();
  form.title.focus({ preventScroll: true });
  place.scrollIntoView({ block: "start" });
}

function closeForm() {
  form = null;
  origin = null;
  fill(place);
  if (search.has("incident")) {
    search.delete("incident");
    history.replaceState(null, "", location.pathname + (search.size ? `?${search}` : "") + location.hash);
  }
  show();
  head.querySelector("[data-new]")?.focus();
}

const ruleNames = () => Object.keys(codes.en).filter((key) => key.startsWith("rule.")).map((key) => key.slice(5));

async function end(silence, by) {
  try {
    rememberName(by);
    await endSilence(silence.id, by);
  } catch (error) {
    found.failure = refusalText(error);
    show();
    return;
  }
  refetch();
}

function again(silence) {
  openForm(silence.kind, rowsOf(silence.matchers));
}

/** "Silence this" of an incident leads here. */
async function fromAddress() {
  const number = Number(search.get("incident"));
  const wanted = /^#silence=(\d+)$/.exec(location.hash);
  if (number && mayAct()) {
    try {
      const { incident, time_zone: zone } = await getIncident(number);
      origin = number;
      zones.set(incident.site, zone);
      learnSites([incident]);
      const { rows, offered } = fromIncident(incident);
      openForm("silence", rows, offered, zone);
    } catch (error) {
      found.failure = refusalText(error);
      show();
    }
  }
  if (wanted) {
    for (const standing of STANDINGS) {
      chosen.standing = standing;
      await refetch();
      const row = document.getElementById(`silence-${wanted[1]}`);
      if (row) return row.focus();
    }
  }
}

listSites().then(
  ({ sites: known = [] }) => {
    learnSites(known);
    show();
    for (const one of known) {
      sites.push(one.site);
      if (one.time_zone) zones.set(one.site, one.time_zone);
    }
    form?.matchers.suggest({ site: sites });
  },
  () => {}, // then sites are typed
);

watchService({ onState: bar.setConnection, onChange: () => refetch() });
let lastSweep = 0;
onTick((now) => {
  if (now - lastSweep < 30_000) return; // one begins or ends by itself
  lastSweep = now;
  refetch();
});
onLanguage(() => {
  if (form) openForm(form.kind, form.matchers.rows, form.matchers.offered, form.times.zone, form.typed());
  else show();
});
show();
actorKnown.then(show);
refetch().then(fromAddress);
