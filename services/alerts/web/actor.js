// In whose name incidents are taken and resolved: whoever signed in; where nobody does, as they said last time.

import { may, me } from "/static/shared/me.js";
import { recall, remember } from "/static/shared/storage.js";

let known = null;

/** A promise that is kept when it is known who acts; before that everybody may. */
export const actorKnown = me().then(
  (who) => (known = who),
  () => {}, // away, which the page says, or not signed in, which leads to /login.html
);

export function signedIn() {
  return known !== null && known.mode !== "local";
}

export function mayAct() {
  return known === null || may("floor.act");
}

export function actorName() {
  return signedIn() ? known.name : recall("name");
}

export function rememberName(name) {
  if (!signedIn()) remember("name", name);
}
