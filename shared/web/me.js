// Who looks at this page, and what they may do.

import { api, signIn } from "./api.js";
import { onSignedOut } from "./signedout.js";

// A server that knows no users lets everybody who reaches it see the whole floor.
const NOBODY_IN_PARTICULAR = {
  user: "local",
  name: "",
  roles: ["supervisor", "inspector", "operations"],
  permissions: ["floor.read", "floor.act", "numbers.reveal", "calls.listen", "calls.speak", "history.read", "operations.read"],
  scope: { sites: null, teams: null, queues: null },
  mode: "local",
};

let asked = null;
let known = null;

onSignedOut(signIn);

/** A promise of {user, name, roles, permissions, scope: {sites, teams, queues: null = all}, mode}; asked for once. */
export function me() {
  asked ??= api.get("/api/v1/me").then(take, refuse);
  return asked;
}

function take(answer) {
  known = answer;
  return known;
}

function refuse(error) {
  if (error.status === 404) return take(NOBODY_IN_PARTICULAR);
  asked = null; // ask again when somebody wants to know
  throw error;
}

/** What of the floor they see, {sites, teams, queues: null = all}; null until `await me()` has told. */
export function scope() {
  return known?.scope ?? null;
}

/** Whether they may `permission` ("floor.act", "numbers.reveal", …). False until `await me()` has told; the server checks anyway. */
export function may(permission) {
  return known?.permissions.includes(permission) ?? false;
}
