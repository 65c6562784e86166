// Where the other pages are: each service has its own port on the same host.

import ports from "/static/ports.js";

export const PAGES = ["monitor", "transfers", "listen", "ingest", "alerts"];

// Pages besides a service's first one: [service, path].
const FURTHER = { transfers: ["monitor", "/transfers"], listen: ["monitor", "/listen"] };

/** What one must be allowed to do for a page to be of any use; pages that are not named are for everybody. */
export const NEEDED = { listen: "calls.listen" };

/** The address of page `name`, seen from page `here`. */
export function pageAddress(name, here) {
  const [service, path] = FURTHER[name] ?? [name, "/"];
  const [own] = FURTHER[here] ?? [here];
  return service === own ? path : `${location.protocol}//${location.hostname}:${ports[service]}${path}`;
}
