// Who was told and what came of it: each message to each receiver with its attempts and their answers.

import { h } from "/static/shared/dom.js";
import { dateTime, seconds } from "/static/shared/format.js";
import { known, t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { reasonText } from "./entries.js";
import { leftOut, part } from "./parts.js";

export const SENT_TONES = { sent: "ok", failed: "critical", waiting: "info", withheld: "quiet", no_channel: "quiet" };
const SENT_ICONS = { sent: "ok", failed: "critical", waiting: "timer", withheld: "pause", no_channel: "offline" };

export function notificationsPart() {
  return part("notifications", {
    title: "detail.notifications",
    pick: ({ notifications, totals, time_zone: zone }) => ({ all: [...notifications].reverse(), total: totals.notifications, zone }),
    count: ({ total }) => total,
    draw: ({ all, total, zone }) => (all.length ? [h("ul", { class: "sent" }, all.map((one) => h("li", {}, sentView(one, zone)))), leftOut(all.length, total)] : h("p", { class: "muted", text: t("sent.none") })),
  });
}

/** One notification: its state, where it went and why; its attempts unfold. */
export function sentView(one, zone) {
  const where = [one.receiver, one.channel].filter(Boolean).join(" · ");
  const others = one.together_with ?? one.notifications - 1;
  const head = [
    sentBadge(one.state),
    h("span", { class: "sent-where", text: where || t("sent.nowhere") }),
    one.reason && h("span", { class: "muted", text: reasonText(one.reason) }),
    h("time", { class: "muted at", datetime: one.finished_at ?? one.created_at, text: dateTime(one.finished_at ?? one.created_at, zone) }),
  ];
  const more = [
    others > 0 && h("p", { class: "muted small", text: t("sent.bundle", { n: others }) }),
    one.maybe_before && h("p", { class: "muted small", text: t("sent.maybe_before") }),
    one.instead_of && h("p", { class: "muted small", text: t("sent.instead", { receiver: one.instead_of }) }),
    one.state === "waiting" && one.next_attempt_at && h("p", { class: "muted small", text: t("sent.next", { time: dateTime(one.next_attempt_at, zone) }) }),
    one.attempts.length > 0 && attempts(one.attempts, zone),
    one.attempts.length === 0 && one.answer && h("p", { class: "muted small", text: one.answer }),
  ].filter(Boolean);
  if (!more.length) return h("div", { class: "row" }, head);
  return h("details", {}, h("summary", { class: "row" }, head, one.attempts.length > 0 && h("span", { class: "muted small", text: t("sent.attempts", { n: one.attempts.length }) })), more);
}

export function sentBadge(state) {
  const words = known(`sent.${state}`) ? t(`sent.${state}`) : state.replaceAll("_", " ");
  return h("span", { class: "badge", data: { tone: SENT_TONES[state] ?? "quiet" } }, icon(SENT_ICONS[state] ?? "info"), words);
}

export function attempts(all, zone) {
  return h(
    "ol",
    { class: "attempts" },
    all.map((one) =>
      h(
        "li",
        { data: { ok: one.ok ? "yes" : "no" } },
        icon(one.ok ? "ok" : "critical"),
        h("time", { datetime: one.at, text: dateTime(one.at, zone) }),
        h("span", { class: "muted", text: seconds(one.took_s) }),
        h("span", { class: "answer", text: one.answer || t(one.ok ? "sent.accepted" : "sent.refused") }),
      ),
    ),
  );
}
