// Whether the service is there, and that silences are others than they were: from its feed, for pages that show no incidents.

import { api } from "/static/shared/api.js";
import { SocketClient } from "/static/shared/live.js";
import { setServerNow } from "../time.js";

const SIGNED_OUT = 4401;

/**
 * `onState` gets what the top bar shows; `onChange()` when silences changed, and after each time the service was away; `onStatus()`
 * when the alert file or the link to the floor is another.
 */
export function watchService({ onState, onChange = () => {}, onStatus = () => {} }) {
  const hear = {
    hello({ now }) {
      setServerNow(now);
      onChange();
    },
    beat: ({ now }) => setServerNow(now),
    silences: () => onChange(),
    status: () => onStatus(),
    resync: () => onChange(),
  };
  return new SocketClient({
    onState(state) {
      if (state.state === "refused" && state.code === SIGNED_OUT) api.get("/api/v1/me").catch(() => {}); // 401 leads to /login.html
      onState(state);
    },
    onMessage: (message) => hear[message.type]?.(message),
  }).start();
}
