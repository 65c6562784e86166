// Getting a report: as a page in a tab of its own, or as a file.

import { ApiError } from "/static/shared/api.js";
import { t } from "/static/shared/i18n.js";

const PATIENCE_MS = 120_000; // a year of a large floor, as PDF

/** Open or save what is at `address`. Throws an ApiError when the service refuses. */
export async function open(address, format) {
  let response;
  try {
    response = await fetch(address, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    throw new ApiError(0, "unreachable", error.message);
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new ApiError(response.status, problem.title ?? String(response.status), problem.detail ?? "", problem);
  }
  if (format === "html") {
    const tab = window.open(address, "_blank");
    if (tab) tab.opener = null;
    else location.assign(address); // a browser that opens no tabs
    return;
  }
  const url = URL.createObjectURL(await response.blob());
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? `report.${format}`;
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Why there is none, for people. */
export function refusalText(error) {
  if (error.status === 0) return t("reports.refused.unreachable");
  if (error.status === 403) return t("reports.refused.partial");
  if (error.status === 404) return t("reports.refused.nothing");
  if (error.status === 501) return t("reports.refused.pdf", { why: error.detail });
  if (error.status === 503) return t("reports.refused.away");
  return error.detail || error.message;
}
