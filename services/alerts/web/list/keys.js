// The list's keys, while nobody is typing and nothing lies over the page.

const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const SECOND_MS = 1500; // for so long the second key of two is waited for

/** [keys, name of its words], for the help. */
export const KEYS = [
  [["j", "k", "↓", "↑"], "move"],
  [["Enter", "o"], "open"],
  [["x"], "select"],
  [["Shift j", "Shift k"], "extend"],
  [["Ctrl A"], "all"],
  [["a"], "acknowledge"],
  [["/"], "search"],
  [["g u"], "unresolved"],
  [["g r"], "resolved"],
  [["g a"], "everything"],
  [["Esc"], "escape"],
  [["?"], "help"],
];

const covered = () => document.querySelector("dialog:modal, [popover]:popover-open") !== null;

/** `does`: {list, filters, view, acknowledge(), open(number), help()}. */
export function listenToKeys(does) {
  const { list } = does;
  let first = -Infinity; // when "g" was pressed

  const PLAIN = {
    j: () => list.move(1),
    k: () => list.move(-1),
    ArrowDown: () => list.move(1),
    ArrowUp: () => list.move(-1),
    J: () => list.move(1, { extend: true }),
    K: () => list.move(-1, { extend: true }),
    PageDown: () => list.move(list.page),
    PageUp: () => list.move(-list.page),
    Home: () => list.moveTo("first"),
    End: () => list.moveTo("last"),
    x: () => list.cursor !== null && list.select(list.cursor, "toggle"),
    o: () => list.cursor !== null && does.open(list.cursor),
    a: () => does.acknowledge(),
    "/": () => {
      does.filters.search.focus();
      does.filters.search.select();
    },
    "?": () => does.help(),
    Escape: () => escape(does),
    g: () => {
      first = performance.now();
    },
  };
  const SHIFTED = { ArrowDown: PLAIN.J, ArrowUp: PLAIN.K };
  const VIEWS = { u: "unresolved", r: "resolved", a: "all" };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || covered()) return;
    const typing = event.target.closest?.(TYPING);
    if (typing) {
      if (typing === does.filters.search) whileSearching(event, does);
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "a" && list.focused) {
        event.preventDefault();
        list.selectAll(true);
      }
      return;
    }
    const inside = event.target.closest?.(".incident, .incident-scroller, body") === event.target || event.target === document.body;
    if (["Enter", " "].includes(event.key)) return onRow(event, does);
    if (["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"].includes(event.key) && !inside) return;
    const second = performance.now() - first < SECOND_MS ? VIEWS[event.key] : undefined;
    if (second) first = -Infinity;
    const action = second ? () => does.view.show(second) : ((event.shiftKey ? SHIFTED[event.key] : undefined) ?? PLAIN[event.key]);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** Enter opens a line that has the focus, space selects it; elsewhere they are the button's. */
function onRow(event, { list, open }) {
  if (!event.target.classList?.contains("incident")) return;
  event.preventDefault();
  if (event.key === "Enter") open(list.cursor);
  else list.select(list.cursor, "toggle");
}

/** What is open closes by itself; then the selection goes, then what narrows the list. */
function escape({ list, view }) {
  if (list.selection.size) list.selectAll(false);
  else view.clear();
}

function whileSearching(event, { filters, view, list }) {
  if (event.key === "Escape") {
    event.preventDefault();
    if (filters.search.value) {
      filters.search.value = "";
      view.search("");
    } else filters.search.blur();
  } else if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    list.moveTo("first");
  }
}
