// The connections page: who writes, is the switch heard, what could not be used, and how to write.

import { fill, h, keyed, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { age, clock, dateTime, number } from "/static/shared/format.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { poll } from "/static/shared/live.js";
import { may, me } from "/static/shared/me.js";
import { linkReasonText } from "/static/shared/reasons.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { showExample } from "./example.js";
import strings from "./strings.js";

const LINKS = {
  up: { tone: "ok", icon: "ok" },
  silent: { tone: "critical", icon: "critical" },
  down: { tone: "critical", icon: "critical" },
  never: { tone: "warning", icon: "warning" },
};
const LATE_S = 60; // nothing for this long deserves a look; a quiet night does too

useStrings(strings);
translateTree(document);
const bar = topbar(document.getElementById("topbar"), { page: "ingest" });
const part = (id) => document.getElementById(id);
let sources = null;
let letters = null;
let offset = 0; // the server's clock minus ours, ms

poll("/api/v1/sources", {
  everyMs: 2000,
  onData(found) {
    sources = found.sources;
    offset = new Date(found.now).getTime() - Date.now();
    showSources();
  },
  onState(status) {
    bar.setConnection(status);
    showConnection(status);
  },
});
me().then(followLetters, () => {}); // who is not signed in is led away
showExample(part("feed-example"), part("feed-site"), part("feed-copy"));

onLanguage(() => {
  showSources();
  showLetters();
});
onTick(tick);

/** Dead letters show what callers sent: not everybody who may look at connections may see them. */
function followLetters() {
  setHidden(part("dead-letters"), !may("operations.read"));
  if (!may("operations.read")) return;
  poll("/api/v1/dead-letters?limit=50", {
    everyMs: 3000,
    onData(found) {
      letters = found.dead_letters;
      showLetters();
    },
  });
}

// ---------------------------------------------------------------- sources

function showSources() {
  if (!sources) return;
  const key = (one) => [one.site, one.vendor, one.connector].join("\n");
  keyed(part("source-rows"), sources, key, () => h("tr"), updateSource);
  setHidden(part("sources"), sources.length === 0);
  setHidden(part("sources-empty"), sources.length > 0);
  fill(part("sources-empty"), h("strong", { text: t("sources.empty") }), h("p", { text: t("sources.empty.hint") }));
  const up = sources.filter((one) => one.link === "up").length;
  setText(part("sources-summary"), sources.length ? t("sources.summary", { up, n: sources.length }) : "");
  bar.setMarks(["simulated", "replay"].filter((mark) => sources.some((one) => one[mark])));
}

function updateSource(row, one) {
  row.source = one;
  const shown = JSON.stringify([{ ...one, age_s: 0 }, document.documentElement.lang]);
  if (row.shown !== shown) {
    row.shown = shown;
    fill(
      row,
      h("td", {}, h("div", { class: "row" }, h("strong", { text: one.site }), markBadges(one))),
      h("td", {}, one.connector, h("div", { class: "sub", text: describe(one) })),
      h("td", {}, linkBadge(one), h("div", { class: "sub", text: linkStory(one) })),
      h("td", { class: "num nowrap" }, h("span", { class: "heard", title: dateTime(one.last_received) })),
      h("td", { class: "num nowrap", text: skewOf(one), title: one.switch_time ? t("skew.title", { time: dateTime(one.switch_time) }) : null }),
      h("td", { class: "num", text: number(one.received) }),
      h("td", { class: "num", text: number(one.duplicates) }),
      h("td", { class: "num" }, h("span", { class: one.gaps ? "late" : "", text: number(one.gaps) }), one.lost ? h("div", { class: "sub", text: t("gaps.lost", { n: number(one.lost) }) }) : null),
      h("td", { class: "num" }, h("span", { class: one.invalid ? "trouble" : "", text: number(one.invalid) })),
    );
  }
  tickRow(row);
}

function markBadges(one) {
  const found = ["simulated", "replay"].filter((mark) => one[mark]);
  return found.map((mark) =>
    h("span", { class: "badge", data: { tone: "simulated" }, title: t(`mark.${mark}.hint`), text: t(`mark.${mark}`) }),
  );
}

function describe(one) {
  return [one.vendor, one.switch, one.speed !== 1 && t("speed", { n: number(one.speed, one.speed % 1 ? 1 : 0) })].filter(Boolean).join(" · ");
}

function linkBadge(one) {
  const { tone, icon: shape } = LINKS[one.link];
  return h("span", { class: "badge", data: { tone } }, icon(shape), t(`link.${one.link}`));
}

function linkStory(one) {
  if (one.link === "never") return t("link.never.hint");
  if (one.link === "silent") return t("link.silent.hint");
  const since = t("link.since", { time: dateTime(one.link_since) });
  return one.link_reason ? `${since} · ${linkReasonText(one.link_reason)}` : since;
}

function skewOf(one) {
  if (one.skew_s === null) return t("skew.unknown");
  const sign = one.skew_s < 0 ? "−" : "+";
  const size = Math.abs(one.skew_s);
  return size < 60 ? `${sign}${t("unit.seconds", { n: number(size, size < 10 ? 2 : 0) })}` : `${sign}${age(size)}`;
}

function tick() {
  for (const row of part("source-rows").children) tickRow(row);
}

function tickRow(row) {
  const cell = row.querySelector(".heard");
  const received = row.source?.last_received;
  if (!cell || !received) return;
  const seconds = (Date.now() + offset - new Date(received).getTime()) / 1000;
  setText(cell, seconds < 2 ? t("heard.now") : t("heard.ago", { age: age(seconds) }));
  setAttr(cell, "class", seconds > LATE_S ? "heard late" : "heard");
}

// ---------------------------------------------------------------- dead letters

function showLetters() {
  if (!letters) return;
  const key = (one) => [one.topic, one.partition, one.offset].join("/");
  keyed(part("dead-rows"), letters, key, () => h("tr"), updateLetter);
  setHidden(part("dead"), letters.length === 0);
  setHidden(part("dead-empty"), letters.length > 0);
  fill(part("dead-empty"), icon("ok"), h("p", { text: t("dead.empty") }));
}

function updateLetter(row, one) {
  const shown = document.documentElement.lang;
  if (row.shown === shown) return; // a dead letter never changes
  row.shown = shown;
  fill(
    row,
    h("td", { class: "nowrap", text: clock(one.at), title: dateTime(one.at) }),
    h("td", {}, one.site, h("div", { class: "sub", text: [one.vendor, one.connector].filter(Boolean).join(" · ") })),
    h("td", {}, h("code", { text: one.reason })),
    h(
      "td",
      { class: "message" },
      one.message,
      h("details", {}, h("summary", { text: t("dead.bytes", { n: number(one.size) }) }), h("pre", { text: one.value })),
    ),
    h("td", { class: "nowrap" }, h("code", { text: `${one.topic}[${one.partition}]@${one.offset}` })),
  );
}

// ---------------------------------------------------------------- ourselves

function showConnection(status) {
  const notices = part("notices");
  if (status.state !== "lost" && status.state !== "refused") {
    fill(notices);
    return;
  }
  const words = h("div", {}, h("strong", { text: t("lost.title") }), h("p", { text: t("lost.hint") }));
  fill(notices, h("div", { class: "notice", data: { tone: "critical" } }, icon("critical"), words));
}
