// Where the rest of the story is: the wallboard's drawers, the floor of then, the transfer desk, silences and the report.

import { language } from "/static/shared/i18n.js";
import { pageAddress } from "/static/shared/pages.js";

function at(page, query) {
  const search = new URLSearchParams(query);
  const text = search.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
  return `${pageAddress(page, "alerts")}?${text}`;
}

export const agentLink = (site, id) => at("monitor", { site, agent: `${site}/${id}` });
export const queueLink = (site, id) => at("monitor", { site, queue: `${site}/${id}` });
export const transferLink = (site, id) => at("transfers", { transfer: `${site}/${id}` });

/** The board at a moment of the switch's clock; `who`: {agent} or {queue} whose drawer is open there. */
export function boardThen(site, moment, who = {}) {
  const drawer = Object.entries(who).map(([kind, id]) => [kind, `${site}/${id}`]);
  return at("monitor", { site, at: new Date(moment).toISOString(), ...Object.fromEntries(drawer) });
}

/** `format`: html (left out), pdf, md or json; in the page's language. */
export function reportLink(number, format = "") {
  const lang = language() === "zh-CN" ? "zh" : "en";
  return `/api/v1/incidents/${number}/report?lang=${lang}${format ? `&format=${format}` : ""}`;
}

export const incidentLink = (number) => `/#incident=${number}`;
export const silenceLink = (number) => `/silences?incident=${number}`;
