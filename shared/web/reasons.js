// Reasons of breaks, failed transfers and lost links: switches say "tea", pages say it in the reader's language.

import { known, language, t } from "./i18n.js";

/** A break's reason in the reader's language where we have a word for it, else as the switch says it. */
export function reasonText(reason) {
  const key = `reason.${reason.toLowerCase().replace(/[\s-]+/g, "_")}`;
  return known(key) ? t(key) : reason;
}

/** Why a link is down in the reader's language where a connector says `what: where`, such as `no answer: pbx:5038`; else as it is. */
export function linkReasonText(reason) {
  const [what, ...where] = reason.split(": ");
  const kind = what.toLowerCase().replaceAll(" ", "_");
  return where.length && known(`link_reason.${kind}`) ? t(`link_reason.${kind}`, { where: where.join(": ") }) : reason;
}

/**
 * A rule's summary with `reason` said that way where it stands alone in brackets: "休息（tea）" -> "休息（茶歇）".
 * Newer flags say it so from the start.
 */
export function sayReason(summary, reason) {
  if (!reason) return summary;
  const said = reasonText(reason);
  const word = language() === "en" && said !== reason ? said.charAt(0).toLowerCase() + said.slice(1) : said;
  for (const [open, close] of ["()", "（）"]) summary = summary.replaceAll(open + reason + close, () => open + word + close);
  return summary;
}
