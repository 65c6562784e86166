// Who listens to an agent, in words.

import { t } from "/static/shared/i18n.js";

/** That somebody listens whom nobody here ordered comes before how many they are. */
export function listenedText({ listeners, unordered }) {
  if (unordered) return t("card.unordered");
  return listeners > 1 ? t("card.listened.many", { n: listeners }) : t("card.listened");
}
