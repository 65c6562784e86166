// Times of the alert file, and what it means that there is none.

import { t } from "/static/shared/i18n.js";
import { exact } from "../spans.js";

export function spanOf(seconds) {
  if (seconds === null || seconds === undefined) return t("wait.never");
  return seconds === 0 ? t("wait.once") : exact(seconds);
}
