// The service's server-sent events. The service says something every second, so silence means that the line is dead;
// an EventSource alone would not notice, and gives up for good after an HTTP error.

import { api } from "/static/shared/api.js";
import { BackOff } from "/static/shared/live.js";

const SILENCE_MS = 2500;

/** `events`: {name: handler(value)}; `onState` gets what the top bar shows. */
export function stream(url, { events, onState }) {
  const backOff = new BackOff();
  let source = null;
  let heard = 0;
  let retry = null;
  let state = "connecting";
  let since = Date.now();

  function tell(next) {
    if (next !== state) since = Date.now();
    state = next;
    onState({ state, since });
  }

  function hear(handler) {
    return (event) => {
      heard = performance.now();
      if (state !== "live") {
        backOff.reset();
        tell("live");
      }
      handler(JSON.parse(event.data));
    };
  }

  function open() {
    clearTimeout(retry);
    retry = null;
    heard = performance.now();
    source = new EventSource(url);
    source.onerror = refusedOrLost;
    source.addEventListener("beat", hear(() => {}));
    for (const [name, handler] of Object.entries(events)) source.addEventListener(name, hear(handler));
  }

  /** A browser that gives up by itself was answered with an error: find out whether anybody is still signed in. */
  function refusedOrLost() {
    if (source?.readyState === EventSource.CLOSED) api.get("/api/v1/me").catch(() => {}); // 401 leads to /login.html
    fail();
  }

  function fail() {
    source?.close();
    source = null;
    tell(state === "connecting" ? "connecting" : "lost");
    if (retry === null) retry = setTimeout(open, backOff.next());
  }

  setInterval(() => {
    if (source && performance.now() - heard > SILENCE_MS) fail();
  }, 250);
  window.addEventListener("online", () => source || open());
  open();
}
