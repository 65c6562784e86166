// The detail's keys: while it is open as a page, or has the focus beside the list; the list's own keys are the list's.

const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const SECOND_MS = 1500; // after "g" the next key chooses what the list shows

/** [key, key of its words], for the page's help. */
export const DETAIL_KEYS = [
  ["a", "keys.acknowledge"],
  ["t", "keys.assign"],
  ["r", "keys.resolve"],
  ["o", "keys.reopen"],
  ["n", "keys.note"],
  ["f", "keys.task"],
  ["c", "keys.copy"],
  ["w", "keys.grow"],
  ["Esc", "keys.close"],
];

const CHOICES = { a: "acknowledge", t: "assign", r: "resolve", o: "reopen", n: "notes" };
const OF_THE_LIST = new Set(["j", "k", "x", " ", "Enter", "ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"]);

/** `does`: {choose(action), task(), copy(), grow()}; returns a function that stops it. */
export function onDetailKey(drawer, does) {
  let first = -Infinity;

  function listen(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    const here = drawer.full || drawer.dialog.contains(event.target);
    const another = [...document.querySelectorAll("dialog:modal, [popover]:popover-open")].some((one) => one !== drawer.dialog);
    if (!here || another) return;
    if (event.key === "g") first = performance.now();
    if (performance.now() - first < SECOND_MS) return;
    const key = event.key.toLowerCase();
    const act = key in CHOICES ? () => does.choose(CHOICES[key]) : { f: does.task, c: does.copy, w: does.grow }[key];
    if (!act) {
      if (drawer.full && OF_THE_LIST.has(event.key)) event.stopPropagation(); // the list is out of sight: they scroll and press
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    act();
  }
  document.addEventListener("keydown", listen, { capture: true });
  return () => document.removeEventListener("keydown", listen, { capture: true });
}
