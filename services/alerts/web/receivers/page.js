// The notifications page: who is on duty, who is told of what and by which way, whether that way works, and what was sent lately.

import { fill, h } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { onTick } from "/static/shared/ticker.js";
import { topbar } from "/static/shared/topbar.js";
import { actorKnown } from "../actor.js";
import detailStrings from "../detail/strings.js";
import { subnav } from "../nav.js";
import { getRouting, listSites } from "../reports/asking.js";
import { watchService } from "../silences/watching.js";
import { learnSites } from "../sites.js";
import shared from "../strings.js";
import { textOf } from "../words.js";
import { dutyView } from "./duty.js";
import { Explain } from "./explain.js";
import { Messages } from "./messages.js";
import { ReceiverList } from "./receivers.js";
import { routesView } from "./routes.js";
import strings from "./strings.js";

for (const words of [shared, detailStrings, strings]) useStrings(words);
translateTree(document);

const bar = topbar(document.getElementById("topbar"), { page: "alerts" });
subnav(document.getElementById("subnav"), { page: "notifications" });
const AGAIN_MS = 10_000; // what is sent has no word on the feed of its own
const ONE_PAGE = 30;

const place = (id) => document.getElementById(id);
const receivers = new ReceiverList({ onTested: () => messages.refresh() });
const messages = new Messages();
const explain = new Explain();
let routing = null;
let failure = null;

fill(place("receivers"), receivers.node);
fill(place("messages"), messages.node);
place("messages-head").append(messages.filter);
fill(place("explain"), explain.node);

async function refetch() {
  try {
    routing = await getRouting();
    failure = null;
  } catch (error) {
    failure = error;
  }
  show();
}

function show() {
  fill(
    place("notices"),
    failure && notice("critical", t(failure.status === 403 ? "receivers.forbidden" : "receivers.away")),
    routing?.file_error && notice("critical", t("receivers.file_error"), textOf(routing.file_error)),
    routing?.warnings?.length > 0 && notice("warning", t("receivers.warnings"), ...routing.warnings.map(textOf)),
  );
  if (!routing) return;
  fill(place("duty"), dutyView(routing.schedules));
  receivers.show(routing.receivers);
  fill(place("routes"), routesView(routing));
  fill(place("file"), routing.file ? t("receivers.file", { file: routing.file, time: routing.loaded_at ? dateTime(routing.loaded_at) : "" }) : t("receivers.no_file"));
}

function notice(tone, title, ...lines) {
  return h("div", { class: "notice", data: { tone }, role: tone === "critical" ? "alert" : null }, icon(tone), h("div", {}, h("strong", { text: title }), lines.map((text) => h("p", { text }))));
}

listSites().then(
  ({ sites }) => {
    learnSites(sites);
    explain.offer(sites.map(({ site }) => site));
    show();
  },
  () => {}, // then sites have their ids here
);

watchService({
  onState: bar.setConnection,
  onChange() {
    refetch();
    messages.refresh();
  },
  onStatus: refetch,
});
onLanguage(() => {
  show();
  messages.draw();
  explain.draw();
  receivers.draw();
});
let askedAt = performance.now();
onTick((now) => {
  if (document.hidden || now - askedAt < AGAIN_MS || messages.rows.length > ONE_PAGE) return; // who reads further back is left in peace
  askedAt = now;
  messages.refresh();
});
messages.draw();
explain.draw();
actorKnown.then(() => receivers.draw());
