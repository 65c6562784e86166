// The keyboard: an inspector has both hands on it.

export const KEYS = [
  [["↑", "↓", "Page Up", "Page Down"], "move"],
  [["Enter"], "hear"],
  [["Shift", "Enter"], "agent"],
  [["1", "…", "6"], "hop"],
  [["←", "→"], "step"],
  [["Space"], "mute"],
  [["S"], "toggle"],
  [["M"], "mode"],
  [["N"], "note"],
  [["C"], "claim"],
  [["F"], "follow"],
  [["A"], "alone"],
  [["X"], "drop"],
  [["L"], "list"],
  [["/"], "find"],
  [["?"], "help"],
  [["Esc"], "back"],
];

const TYPED = /^(INPUT|TEXTAREA|SELECT)$/;

/** `deeds`: what each key does, by its name in KEYS. A key that is typed into a field, or belongs to a dialog, is not ours. */
export function listenToKeys(deeds) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (document.querySelector("dialog:modal, [popover]:popover-open")) return;
    if (isTyped(target)) {
      if (key === "Escape" && !event.isComposing) deeds.back(target);
      return;
    }
    if (target.type === "range" && /^(Arrow|Page|Home|End)/.test(key)) return;
    const deed = deedOf(key, target);
    if (!deed) return;
    event.preventDefault();
    deed(deeds);
  });
}

/** Whether what is pressed there is text, or a choice; a volume needs but the arrows. */
const isTyped = ({ tagName, type }) => TYPED.test(tagName) && !["checkbox", "range"].includes(type);

function deedOf(key, target) {
  const onControl = Boolean(target.closest("button, a, select, input:not([type=range])"));
  if (/^[1-6]$/.test(key)) return (deeds) => deeds.hop(Number(key) - 1);
  if (key === " ") return onControl ? null : (deeds) => deeds.mute();
  if (key === "Enter") return onControl || target.closest(".call-row") ? null : (deeds) => deeds.toggle();
  if (key === "ArrowLeft" || key === "ArrowRight") return (deeds) => deeds.step(key === "ArrowLeft" ? -1 : 1);
  if (key === "ArrowDown" || key === "ArrowUp") return target.closest(".call-row") ? null : (deeds) => deeds.list();
  const others = { s: "toggle", m: "mode", n: "note", c: "claim", f: "follow", a: "alone", x: "drop", l: "list", "/": "find", "?": "help", escape: "back" };
  const name = others[key.toLowerCase()];
  return name ? (deeds) => deeds[name](target) : null;
}
