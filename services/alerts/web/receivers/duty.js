// Who is on duty now, schedule by schedule.

import { h } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { siteName } from "../sites.js";

export function dutyView(schedules) {
  if (!schedules.length) return h("p", { class: "muted", text: t("duty.none") });
  return h("ul", { class: "duties" }, schedules.flatMap((schedule) => schedule.now.map((now) => one(schedule, now))));
}

function one({ name, hours }, { time_zone: zone, sites, on_duty: on, until }) {
  return h(
    "li",
    { class: "duty" },
    h("span", { class: "badge", data: { tone: on ? "ok" : "quiet" } }, icon(on ? "ready" : "offline"), t(on ? "duty.on" : "duty.off")),
    h("strong", { text: name }),
    h("span", { class: "muted", text: hours.map(inWords).join("; ") }),
    h("span", { class: "muted", text: until ? t("duty.until", { time: dateTime(until, zone) }) : t("duty.always") }),
    h("span", { class: "muted small", text: sites.length ? `${sites.map(siteName).join(", ")} · ${zone}` : zone }),
  );
}

/** `mon tue 08:00-20:00` as the alert file has it, in the reader's words. */
function inWords(hours) {
  return hours.replace(/\b(mon|tue|wed|thu|fri|sat|sun)\b/g, (day) => t(`day.${day}`)).replace("the whole day", t("duty.whole_day"));
}
