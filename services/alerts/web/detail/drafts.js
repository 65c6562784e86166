// What somebody typed about an incident and has not sent: kept for this tab, so neither a live update, another language, a reload
// nor a closed drawer loses it.

const PREFIX = "floorwatch.draft.";

/** The fields' texts, {name: text}, of incident `number`; {} when nothing was typed. */
export function draftOf(number) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + number) ?? "{}");
  } catch {
    return {}; // storage is blocked, or somebody else's writing
  }
}

/** Keep one field's text; "" forgets it. */
export function keepDraft(number, name, text) {
  const draft = draftOf(number);
  if (text) draft[name] = text;
  else delete draft[name];
  try {
    if (Object.keys(draft).length) sessionStorage.setItem(PREFIX + number, JSON.stringify(draft));
    else sessionStorage.removeItem(PREFIX + number);
  } catch {
    // private mode or a full disk: it lasts as long as the drawer
  }
}

/** Give `input` what was typed in it before, and keep what is typed from now on. */
export function drafted(number, name, input) {
  const before = draftOf(number)[name];
  if (before !== undefined) input.value = before;
  input.addEventListener("input", () => keepDraft(number, name, input.value));
  return input;
}

/** What was sent is no draft any more. */
export function sent(number, inputs) {
  for (const [name, input] of Object.entries(inputs)) {
    input.value = "";
    keepDraft(number, name, "");
  }
}
