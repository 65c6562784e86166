// Asking the server: JSON out, JSON in, and its problem documents (RFC 9457) as errors.
//
//     const { transfers } = await api.get("/api/v1/transfers", { slow: "yes", limit: 50 });
//     try { await api.put(path, body); } catch (error) { show(error.title, error.detail); }

import { language } from "./i18n.js";

const PATIENCE_MS = 15_000;

/** What the server refused. `status` is 0 when it could not be reached; `title` and `detail` are the server's words, `problem` all that it said. */
export class ApiError extends Error {
  constructor(status, title, detail = "", problem = {}) {
    super(detail ? `${title}: ${detail}` : title);
    Object.assign(this, { name: "ApiError", status, title, detail, problem });
  }
}

export const api = {
  /** `query`: {name: value, or an array of values}; null, undefined and "" are left out. `patienceMs`: how long an answer may take. */
  get: (path, query = {}, patienceMs) => ask("GET", address(path, query), undefined, patienceMs),
  post: (path, body, patienceMs) => ask("POST", path, body, patienceMs),
  put: (path, body) => ask("PUT", path, body),
  patch: (path, body) => ask("PATCH", path, body),
  del: (path) => ask("DELETE", path),
};

function address(path, query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") search.append(name, one);
  }
  const asked = search.toString();
  return asked ? `${path}?${asked}` : path;
}

async function ask(method, path, body, patienceMs = PATIENCE_MS) {
  const request = { method, cache: "no-store", signal: AbortSignal.timeout(patienceMs) };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { "content-type": "application/json" };
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    throw new ApiError(0, "unreachable", error.message);
  }
  if (!response.ok) throw await refusal(response);
  return response.status === 204 ? null : response.json();
}

async function refusal(response) {
  if (response.status === 401) signIn();
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // not one of our own answers: a proxy's page, say
  }
  const title = problem.title || response.statusText || String(response.status);
  const detail = (language() === "zh-CN" && problem.detail_zh) || problem.detail;
  return new ApiError(response.status, title, typeof detail === "string" ? detail : "", problem);
}

/** Whoever is not known goes to the page that says how to come in, and from there back to where they wanted to go. */
export function signIn() {
  if (location.pathname === "/login.html") return;
  location.replace(`/login.html?next=${encodeURIComponent(location.pathname + location.search + location.hash)}`);
}
