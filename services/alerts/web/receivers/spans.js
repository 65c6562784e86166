// Durations as the alert file has them: "10s", "5m", "4h".

import { t } from "/static/shared/i18n.js";

export function spanOf(seconds) {
  if (seconds === null || seconds === undefined) return t("wait.never");
  if (seconds === 0) return t("wait.once");
  if (seconds < 60 || seconds % 60) return t("unit.seconds", { n: Math.round(seconds * 10) / 10 });
  if (seconds < 3600 || seconds % 3600) return t("unit.minutes", { n: seconds / 60 });
  if (seconds < 86400 || seconds % 86400) return t("unit.hours", { n: seconds / 3600 });
  return t("unit.days", { n: seconds / 86400 });
}
