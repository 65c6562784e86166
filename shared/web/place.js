// The address holds what is shown, so that a link shows the same and "back" goes back.
//
//     place.get("agent")                                  "" when it is not there
//     place.set("agent", "hq/1001")                       a step of its own: "back" undoes it; "" or null takes it out
//     place.set("q", "ana", { replace: true })            no step: for what changes with every key
//     place.update({ site: "hq", queue: "" })             several as one step
//     place.on((changed) => …)                            after each change, by whom ever; `changed`: Set of names

const listeners = new Set();
let shown = new URLSearchParams(location.search);

function differing(before, after) {
  const names = new Set([...before.keys(), ...after.keys()]);
  return new Set([...names].filter((name) => (before.get(name) ?? "") !== (after.get(name) ?? "")));
}

function move(next) {
  const changed = differing(shown, next);
  shown = next;
  if (changed.size) for (const listener of listeners) listener(changed);
}

/** Commas and slashes are allowed in a query and read better than %2C and %2F. */
function written(search) {
  const text = search.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
  return location.pathname + (text ? `?${text}` : "") + location.hash;
}

export const place = {
  get: (name) => shown.get(name) ?? "",

  set(name, value, options = {}) {
    place.update({ [name]: value }, options);
  },

  update(values, { replace = false } = {}) {
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(values)) {
      if (value === null || value === undefined || value === "") next.delete(name);
      else next.set(name, value);
    }
    if (!differing(shown, next).size) return;
    history[replace ? "replaceState" : "pushState"](history.state, "", written(next));
    move(next);
  },

  /** Returns a function that stops it. */
  on(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

window.addEventListener("popstate", () => move(new URLSearchParams(location.search)));
