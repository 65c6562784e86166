// Building and updating the page. Text is always set as text, so nothing that comes from a switch can become markup.

/**
 * An element. `props`: class, text, data: {name: value}, on: {event: handler}, and any attribute (true = present,
 * false/null/undefined = absent; `value`, `checked`, `disabled`, `selected` are set as properties).
 * Children: nodes, strings, numbers, arrays; null and false are left out.
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProp(node, name, value);
  append(node, children);
  return node;
}

function setProp(node, name, value) {
  if (name === "class") node.className = value;
  else if (name === "text") node.textContent = value;
  else if (name === "data") for (const [key, one] of Object.entries(value)) setData(node, key, one);
  else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
  else if (["value", "checked", "disabled", "selected"].includes(name)) node[name] = value;
  else setAttr(node, name, value);
}

function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

// Setters that touch the page only when something changed: a board of a thousand tiles is updated many times a second.

export function setText(node, text) {
  const wanted = text === null || text === undefined ? "" : String(text);
  if (node.firstChild?.nodeType === Node.TEXT_NODE && node.childNodes.length === 1) {
    if (node.firstChild.data !== wanted) node.firstChild.data = wanted;
  } else if (wanted !== "" || node.childNodes.length) {
    node.textContent = wanted;
  }
}

export function setAttr(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const wanted = value === true ? "" : String(value);
  if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
}

export function setData(node, name, value) {
  if (value === null || value === undefined || value === false || value === "") {
    if (name in node.dataset) delete node.dataset[name];
  } else if (node.dataset[name] !== String(value)) {
    node.dataset[name] = value;
  }
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/** Replace the children of `node`. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

/**
 * Keep `parent`'s children in step with `items`: `create(item)` makes the node of a new key, `update(node, item)` runs for
 * every item, nodes of keys that are gone are removed, and only nodes that are out of place move (focus is kept).
 * Returns the nodes by key.
 */
export function keyed(parent, items, key, create, update) {
  const before = parent.keyedNodes ?? new Map();
  const after = new Map();
  for (const item of items) {
    const name = key(item);
    const node = before.get(name) ?? create(item);
    after.set(name, node);
    update(node, item);
  }
  for (const [name, node] of before) if (!after.has(name)) node.remove();
  let place = parent.firstElementChild;
  for (const node of after.values()) {
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  parent.keyedNodes = after;
  return after;
}

/**
 * Open a drawer from the right; it closes with Escape, its button or a click beside it, and gives the focus back.
 * Returns {dialog, body, close}.
 */
export function openDrawer({ title, closeLabel, body, onClose = () => {} }) {
  const content = h("div", { class: "drawer-body" }, body);
  const dialog = h(
    "dialog",
    { class: "drawer", "aria-label": title },
    h(
      "div",
      { class: "drawer-head" },
      h("h2", { class: "truncate", text: title }),
      h("button", { class: "button quiet", type: "button", text: closeLabel, on: { click: () => dialog.close() } }),
    ),
    content,
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, body: content, close: () => dialog.close() };
}
