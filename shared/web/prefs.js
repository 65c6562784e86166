// What somebody chose for themselves: kept by the server for them, and in this browser for the first paint and for
// servers that have no database.
//
//     prefs.get("columns", ["name", "state"])      at once: what this browser last knew, then what the server says
//     prefs.set("columns", [...])                  null forgets
//     onPrefs((key, by) => …)                      called after each change, by "here", "server" or "tab" (another one)

import { api } from "./api.js";
import { me } from "./me.js";
import { recall, remember } from "./storage.js";

const STORE = "prefs";
const SETTLE_MS = 400; // a column that is dragged about is one change

const listeners = new Set();
const waiting = new Map(); // key -> timer of a change that is still to be sent
let local = read();
let serverKeeps = document.documentElement.dataset.prefs !== "here"; // a page of a service that keeps none says so

function read() {
  try {
    const { user = "", values = {}, unsent = [] } = JSON.parse(recall(STORE, "{}"));
    return { user, values, unsent: new Set(unsent) };
  } catch {
    return { user: "", values: {}, unsent: new Set() }; // somebody else's writing
  }
}

function keep() {
  remember(STORE, JSON.stringify({ ...local, unsent: [...local.unsent] }));
}

function tell(keys, by) {
  for (const key of keys) for (const listener of listeners) listener(key, by);
}

const differing = (before, after) =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );

export const prefs = {
  get(key, otherwise = null) {
    return local.values[key] ?? otherwise;
  },

  set(key, value) {
    if (JSON.stringify(local.values[key] ?? null) === JSON.stringify(value)) return;
    if (value === null) delete local.values[key];
    else local.values[key] = value;
    local.unsent.add(key);
    keep();
    tell([key], "here");
    clearTimeout(waiting.get(key));
    waiting.set(key, setTimeout(send, SETTLE_MS, key));
  },
};

/** Call `listener(key, by)` after each change; returns a function that stops it. */
export function onPrefs(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function send(key) {
  waiting.delete(key);
  if (!serverKeeps) return;
  const path = `/api/v1/preferences/${encodeURIComponent(key)}`;
  const value = local.values[key] ?? null;
  try {
    await (value === null ? api.del(path) : api.put(path, value));
  } catch (error) {
    if (error.status === 404 && value !== null) serverKeeps = false;
    if (value !== null || error.status !== 404) return; // stays unsent: the next page tries again
  }
  if (waiting.has(key)) return; // changed again meanwhile
  local.unsent.delete(key);
  keep();
}

/** The server's word counts, except for what it has not been told yet. Another user's choices are not this one's. */
async function load() {
  if (!serverKeeps) return;
  try {
    const { user } = await me();
    if (local.user && local.user !== user) local = { user, values: {}, unsent: new Set() };
    local.user = user;
    const kept = await api.get("/api/v1/preferences");
    const before = local.values;
    local.values = { ...kept };
    for (const key of local.unsent) {
      if (key in before) local.values[key] = before[key];
      else delete local.values[key];
    }
    tell(differing(before, local.values), "server");
    for (const key of local.unsent) if (!waiting.has(key)) send(key);
  } catch (error) {
    serverKeeps = error.status !== 404;
  }
  keep();
}

window.addEventListener("storage", ({ key }) => {
  if (key !== `floorwatch.${STORE}`) return;
  const before = local.values;
  local = read();
  tell(differing(before, local.values), "tab");
});

/** Resolves when the server has said what it keeps, or cannot. */
export const loaded = load();
