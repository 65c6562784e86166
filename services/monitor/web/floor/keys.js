// The keyboard: what works anywhere on the floor view. Lists and dialogs have their own keys beside it.

/** What the help lists, in this order: [keys, name of the words]. */
export const KEYS = [
  [["/"], "find"],
  [["↑", "↓", "←", "→"], "move"],
  [["Home", "End", "PgUp", "PgDn"], "far"],
  [["Enter"], "open"],
  [["J", "K"], "step"],
  [["1", "…", "6"], "act"],
  [["Shift", "1", "…", "6"], "done"],
  [["Esc"], "close"],
  [["V"], "view"],
  [["F"], "flagged"],
  [[","], "settings"],
  [["?"], "help"],
];

const typing = ({ target }) => /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable;
const covered = () => document.querySelector("dialog:modal, [popover]:popover-open") !== null;

/** Listen for the whole page; `board.agents` is the panel. */
export function listenToKeys(board) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || covered()) return;
    const action = typing(event) ? whileTyping(event, board) : ACTIONS[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action(board);
  });
}

/** `change` what is shown: whoever has the focus among it is still in view afterwards. */
function keepingFocus(change) {
  change();
  requestAnimationFrame(() => document.activeElement?.closest(".card, [role=row]")?.scrollIntoView({ block: "nearest" }));
}

const ACTIONS = {
  "/"({ agents }) {
    agents.tools.search.focus();
    agents.tools.search.select();
  },
  "?": ({ agents }) => agents.tools.legend.open(),
  v: ({ agents: { view } }) => keepingFocus(() => view.like({ view: view.view === "rows" ? "cards" : "rows" })),
  f: ({ agents: { view } }) => keepingFocus(() => view.flagged(!view.filter.flagged)),
  escape: ({ agents: { view } }) => keepingFocus(() => view.clear()),
  arrowdown: ({ agents }) => agents.enter(),
};

/** Escape in the search empties it; in an empty one it goes back to the list. */
function whileTyping({ key, target }, { agents }) {
  const { search } = agents.tools;
  if (key !== "Escape" || target !== search) return null;
  return () => {
    if (!search.value) search.blur();
    search.value = "";
    agents.view.clear();
  };
}
