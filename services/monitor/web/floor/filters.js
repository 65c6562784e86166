// Narrowing the floor by team, queue and tag: the box to choose in, and a pill for each that is chosen.

import { h, keyed, setAttr, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { collator } from "../agentlist.js";

const NAMES = ["queue", "team", "tag"];

/** [value, words] of all that could be chosen at the site that is shown. */
function choices(name, board) {
  const site = board.site();
  const found = new Map();
  const label = (at, text) => (board.manySites() && !site ? `${board.siteLabel(at)} · ${text}` : text);
  if (name === "queue") {
    for (const [key, queue] of board.store.queues) if (!site || queue.site === site) found.set(key, label(queue.site, queue.label || queue.queue));
  } else {
    for (const agent of board.store.agents.values()) {
      if (site && agent.site !== site) continue;
      if (name === "team" && agent.team) found.set(`${agent.site}/${agent.team}`, label(agent.site, agent.team));
      if (name === "tag") for (const tag of agent.tags) found.set(tag, tag);
    }
  }
  return [...found].sort((a, b) => collator.compare(a[1], b[1]));
}

/** What a chosen value is called. */
function wordOf(name, value, board) {
  if (name === "tag") return value;
  const [site, ...rest] = value.split("/");
  const id = rest.join("/");
  return name === "queue" ? board.queueLabel(site, id) : id;
}

/** The box's content. */
export function filterBox(view, board) {
  const fields = NAMES.map((name) => {
    const select = h(
      "select",
      { class: "select", "aria-label": t(`filter.${name}`), data: { focus: name } },
      h("option", { value: "" }, t("filter.any")),
      choices(name, board).map(([value, text]) => h("option", { value, selected: value === view.filter[name] }, text)),
    );
    select.addEventListener("change", () => view.choose(name, select.value));
    return h("label", { class: "field" }, h("span", {}, t(`filter.${name}`)), select);
  });
  const clear = h("button", { class: "button", type: "button", data: { focus: "clear" }, on: { click: () => view.clear() } }, t("agents.clear"));
  return [h("h3", {}, t("filter.title")), fields, clear];
}

/** A pill for each filter that has no button of its own; a click takes it off. */
export function drawPills(root, view, board) {
  keyed(
    root,
    NAMES.filter((name) => view.filter[name]),
    (name) => name,
    (name) => {
      const node = h("button", { class: "button pill", type: "button" }, h("span"), icon("close"));
      node.addEventListener("click", () => view.choose(name, ""));
      return node;
    },
    (node, name) => {
      const text = t("filter.pill", { name: t(`filter.${name}`), value: wordOf(name, view.filter[name], board) });
      setText(node.firstChild, text);
      setAttr(node, "title", t("filter.undo"));
    },
  );
}
