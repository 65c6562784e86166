// The service's clock as the page knows it: ages are promises to people, so they follow the service, not this computer.

let offset = 0;

export function setServerNow(iso) {
  offset = new Date(iso).getTime() - Date.now();
}

/** Milliseconds since 1970 by the service's clock. */
export function serverNow() {
  return Date.now() + offset;
}
