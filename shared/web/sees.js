// What somebody may see, in words: "site demo · team Support".

import { t } from "./i18n.js";

/** `scope`: {sites, teams, queues: names, or null for all}. "" when it is the whole floor. */
export function sees(scope) {
  return Object.entries(scope)
    .filter(([, names]) => names !== null)
    .map(([what, names]) => t(`sees.${what}`, { n: names.length, names: names.join(", ") }))
    .join(" · ");
}
