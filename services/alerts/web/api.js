// The service's HTTP API. A refused request becomes an Error whose message is fit for people.

import { api } from "/static/shared/api.js";

const PATH = "/api/v1/incidents";

/** An ApiError says title and detail; people need the detail alone where there is one. */
async function answer(asked) {
  try {
    return await asked;
  } catch (error) {
    throw new Error(error.detail || error.message, { cause: error });
  }
}

export function listIncidents({ states, severity, text, limit }) {
  return answer(api.get(PATH, { limit, state: states, severity, q: text }));
}

export function getIncident(number) {
  return answer(api.get(`${PATH}/${number}`));
}

/** `action`: acknowledge, resolve, reopen or notes. */
export function act(number, action, body) {
  return answer(api.post(`${PATH}/${number}/${action}`, body));
}
