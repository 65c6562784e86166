// Where the other pages are: each service has its own port on the same host.

import ports from "/static/ports.js";

export const PAGES = ["monitor", "transfers", "ingest", "alerts"];

// Pages besides a service's first one: [service, path].
const FURTHER = { transfers: ["monitor", "/transfers"] };

/** The address of page `name`, seen from page `here`. */
export function pageAddress(name, here) {
  const [service, path] = FURTHER[name] ?? [name, "/"];
  const [own] = FURTHER[here] ?? [here];
  return service === own ? path : `${location.protocol}//${location.hostname}:${ports[service]}${path}`;
}
