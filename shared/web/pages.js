// Where the other pages are: each service has its own port on the same host.

import ports from "/static/ports.js";

export const PAGES = ["monitor", "ingest", "alerts"];

/** The address of page `name`, seen from page `here`. */
export function pageAddress(name, here) {
  return name === here ? "/" : `${location.protocol}//${location.hostname}:${ports[name]}/`;
}
