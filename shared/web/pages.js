// Where the other pages are: each service has its own port on the same host.

export const PAGES = ["monitor", "ingest", "alerts"];

const PORTS = { monitor: 8600, ingest: 8601, alerts: 8602 };

/** The address of page `name`, seen from page `here`. */
export function pageAddress(name, here) {
  return name === here ? "/" : `${location.protocol}//${location.hostname}:${PORTS[name]}/`;
}
