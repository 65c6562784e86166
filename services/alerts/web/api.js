// The service's HTTP API. A refused request becomes an Error whose message is fit for people.

import { signIn } from "/static/shared/api.js";

async function answer(response) {
  if (response.ok) return response.json();
  if (response.status === 401) signIn();
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // not a problem document: the status line has to do
  }
  throw new Error(problem.detail ?? `${response.status} ${response.statusText}`);
}

export async function listIncidents({ states, severity, text, limit }) {
  const query = new URLSearchParams({ limit });
  for (const state of states) query.append("state", state);
  if (severity) query.set("severity", severity);
  if (text) query.set("q", text);
  return answer(await fetch(`/api/v1/incidents?${query}`));
}

export async function getIncident(number) {
  return answer(await fetch(`/api/v1/incidents/${number}`));
}

/** `action`: acknowledge, resolve, reopen or notes. */
export async function act(number, action, body) {
  const headers = { "content-type": "application/json" };
  const options = { method: "POST", headers, body: JSON.stringify(body) };
  return answer(await fetch(`/api/v1/incidents/${number}/${action}`, options));
}
