// Asking the service about reports, receivers and messages.

import { api } from "/static/shared/api.js";
import { language } from "/static/shared/i18n.js";

const WRITTEN = "/api/v1/reports/periodic";
const TEST_MS = 60_000; // a mail server may take its time

export const listWritten = (query) => api.get(WRITTEN, query);
export const listSites = () => api.get("/api/v1/health/sites");
export const getRouting = () => api.get("/api/v1/routing");
export const listNotifications = (query) => api.get("/api/v1/notifications", query);
export const testReceiver = (name, by) => api.post(`/api/v1/receivers/${encodeURIComponent(name)}/test`, { by }, TEST_MS);

/** Where the report of a period is, in the page's language; it is written when it is asked for. */
export function reportAddress(kind, site, day, format) {
  const lang = language() === "zh-CN" ? "zh" : "en";
  return `${WRITTEN}/${kind}/${encodeURIComponent(site)}/${day}?format=${format}&lang=${lang}`;
}
