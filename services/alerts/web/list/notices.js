// What is wrong besides the incidents themselves, each in words of its own: what does not work, since when, what it means.

import { fill, h } from "/static/shared/dom.js";
import { clock, dateTime } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { textOf } from "../words.js";

const DATABASE_AWAY = 503;

/** [{key, tone, title, text}] for what `source` knows; `shown`: whether incidents are listed, `trouble`: of something done here. */
export function noticesFor({ connection, status, failure, store }, { shown, trouble }) {
  const found = [];
  const add = (key, tone, title, text = "") => found.push({ key, tone, title, text });
  if (connection.state === "lost") add("away", "critical", t("away.title", { time: clock(connection.since) }), t("away.hint"));
  else if (connection.state === "refused") add("refused", "critical", t("refused.title"), t("refused.hint", { why: connection.reason }));
  else if (failure?.status === DATABASE_AWAY) add("database", "critical", t("database.title"), t("database.hint", { why: failure.detail }));
  else if (failure) add("failed", "critical", t("list.failed"), failure.detail || failure.message);
  if (connection.state === "live" && status && status.state !== "live" && shown) {
    add("kafka", "critical", flagsLost(status), `${status.reason}. ${t("nodata.hint")}`);
  }
  if (trouble) add("trouble", "critical", t("failed.title"), trouble);
  if (status?.file_error) add("file", "warning", t("file.title"), t("file.hint", { why: textOf(status.file_error) }));
  if (status && !status.channels.length) add("nochannel", "info", t("nochannel.title"), t("nochannel.hint"));
  for (const { name, since, then, state } of status?.receivers ?? []) {
    if (state === "dead") add(`dead ${name}`, "warning", t("dead.title", { name, time: dateTime(since) }), then ? t("dead.then", { then }) : t("dead.nobody"));
  }
  if (store.whole === false && !failure && store.all.size >= 10_000) add("many", "warning", t("many.title"), t("many.hint"));
  return found;
}

/** Since when no flags arrive. */
export function flagsLost({ state, since }) {
  return t(state === "lost" ? "nodata.title" : "nodata.title.never", { time: dateTime(since) });
}

/** Draw them, as far as they are otherwise than before. */
export function drawNotices(root, found) {
  const written = JSON.stringify(found);
  if (root.written === written) return;
  root.written = written;
  fill(
    root,
    found.map(({ key, tone, title, text }) =>
      h("div", { class: "notice", data: { tone, notice: key } }, icon(tone), h("div", {}, h("strong", { text: title }), text && h("p", { text }))),
    ),
  );
}
