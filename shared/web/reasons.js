// Reasons of breaks and failed transfers: switches say "tea", pages say it in the reader's language.

import { known, t } from "./i18n.js";

/** A break's reason in the reader's language where we have a word for it, else as the switch says it. */
export function reasonText(reason) {
  const key = `reason.${reason.toLowerCase().replace(/[\s-]+/g, "_")}`;
  return known(key) ? t(key) : reason;
}

/** A rule's summary with `reason` said that way where it stands alone in brackets: "休息（tea）" -> "休息（茶歇）". */
export function sayReason(summary, reason) {
  if (!reason) return summary;
  for (const [open, close] of ["()", "（）"]) summary = summary.replaceAll(open + reason + close, () => open + reasonText(reason) + close);
  return summary;
}
