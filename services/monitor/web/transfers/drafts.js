// What somebody wrote into a case and has not saved: kept over reloads, until saved or thrown away.

const PREFIX = "floorwatch.case.";
const FIELDS = ["status", "reason", "note", "follow_up", "follow_up_on"];

export const EMPTY = { status: "open", reason: "", note: "", follow_up: "", follow_up_on: "" };

/** The fields of a case as a form holds them; of none: an empty form. */
export function valuesOf(found) {
  if (!found) return { ...EMPTY };
  return Object.fromEntries(FIELDS.map((field) => [field, found[field] ?? ""]));
}

/** The fields in which two forms differ. */
export function differing(one, other) {
  return FIELDS.filter((field) => (one[field] ?? "") !== (other[field] ?? ""));
}

function store(action, otherwise = null) {
  try {
    return action(sessionStorage);
  } catch {
    return otherwise; // storage is blocked or full: the form itself still holds the text
  }
}

/** The draft of transfer `key`: {values, base: the form it began from, version}; null when there is none. */
export function draftOf(key) {
  const text = store((kept) => kept.getItem(PREFIX + key));
  if (!text) return null;
  try {
    const draft = JSON.parse(text);
    return draft && typeof draft.values === "object" && Number.isInteger(draft.version) ? draft : null;
  } catch {
    return null;
  }
}

export function keepDraft(key, draft) {
  store((kept) => kept.setItem(PREFIX + key, JSON.stringify(draft)));
}

export function dropDraft(key) {
  store((kept) => kept.removeItem(PREFIX + key));
}

/** Keys of all transfers with unsaved text. */
export function unsaved() {
  return store((kept) => Object.keys(kept).filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length)), []);
}
