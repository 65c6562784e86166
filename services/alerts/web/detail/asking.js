// Asking the service about one incident, and its refusals in words for people.

import { ApiError, api } from "/static/shared/api.js";
import { t } from "/static/shared/i18n.js";

const PATH = "/api/v1/incidents";

export const getIncident = (number) => api.get(`${PATH}/${number}`);
export const listIncidents = (query) => api.get(PATH, query);

/** `action`: acknowledge, assign, resolve, reopen, notes, recheck. */
export const act = (number, action, body) => api.post(`${PATH}/${number}/${action}`, body);

export const addAction = (number, body) => api.post(`${PATH}/${number}/actions`, body);
export const changeAction = (number, id, body) => api.patch(`${PATH}/${number}/actions/${id}`, body);

/** Why it was refused. Somebody who was quicker is named; `clock(iso)` says when. */
export function refusalText(error, clock) {
  if (!(error instanceof ApiError)) return error.message;
  if (error.status === 0) return t("refused.unreachable");
  const { state, incident, other } = error.problem;
  if (error.status === 409 && other) return t("refused.other", { n: other });
  if (error.status === 409 && state === "acknowledged") return t("refused.acknowledged", { who: incident?.owner ?? "?", time: clock(incident?.acknowledged_at) });
  if (error.status === 409 && state === "resolved") return t("refused.resolved", { who: incident?.resolver ?? "?", time: clock(incident?.resolved_at) });
  if (error.status === 409 && state === "open") return t("refused.open");
  if (error.status === 403) return t("refused.forbidden");
  if (error.status === 404) return t("refused.missing");
  if (error.status === 503) return t("refused.away");
  return error.detail || error.message;
}
