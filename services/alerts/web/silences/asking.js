// Asking the service about silences.

import { ApiError, api } from "/static/shared/api.js";
import { t } from "/static/shared/i18n.js";

const PATH = "/api/v1/silences";

export const listSilences = (standing, cursor = "") => api.get(PATH, { standing, cursor, limit: 50 });
export const getSilence = (id) => api.get(`${PATH}/${id}`);
export const makeSilence = (body) => api.post(PATH, body);
export const previewSilence = (body) => api.post(`${PATH}/preview`, body);
export const endSilence = (id, by) => api.post(`${PATH}/${id}/end`, { by });
export const getIncident = (number) => api.get(`/api/v1/incidents/${number}`);
export const listSites = () => api.get("/api/v1/health/sites");

/** Why it was refused, for people. */
export function refusalText(error) {
  if (!(error instanceof ApiError)) return error.message;
  if (error.status === 0) return t("silence.refused.unreachable");
  if (error.status === 403) return t("silence.refused.forbidden");
  if (error.status === 503) return t("silence.refused.away");
  if (error.status === 422) return t("silence.refused.form", { why: error.detail || wordsOf(error.problem) || error.title });
  return t("silence.refused", { why: error.detail || error.title });
}

function wordsOf({ errors = [] }) {
  return errors.map((one) => one.msg ?? one.detail ?? one.message ?? "").filter(Boolean).join("; ");
}
