// A button that opens a small box beside it. The browser closes it again: with Escape, or a click elsewhere.

import { fill, h, setAttr } from "/static/shared/dom.js";
import { icon } from "/static/shared/icons.js";

const MARGIN_PX = 8;

/**
 * {button, box, label(text)}. `draw(box)` fills the box whenever it opens, and `redraw()` does so again while it is open.
 * `id` names the box; the shape on the button is `shape`.
 */
export function popup({ id, shape, draw, word = "" }) {
  const text = h("span", { text: word });
  const button = h("button", { class: `button${word ? "" : " icon-only"}`, type: "button", popovertarget: id }, icon(shape));
  if (word) button.append(text);
  const box = h("div", { class: "popup", id, popover: "auto", role: "dialog" });
  box.addEventListener("beforetoggle", ({ newState }) => newState === "open" && fill(box, draw()));
  box.addEventListener("toggle", ({ newState }) => newState === "open" && put(box, button));
  return {
    button,
    box,
    label(name) {
      setAttr(button, "title", name);
      setAttr(button, "aria-label", name);
      setAttr(box, "aria-label", name);
    },
    redraw() {
      if (!box.matches(":popover-open")) return;
      const focused = box.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
      fill(box, draw());
      if (focused) box.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
    },
  };
}

/** Below the button, ending where it ends, and within the window. */
function put(box, button) {
  const { bottom, right } = button.getBoundingClientRect();
  const left = Math.max(MARGIN_PX, Math.min(right, innerWidth - MARGIN_PX) - box.offsetWidth);
  const top = Math.min(bottom + MARGIN_PX / 2, Math.max(MARGIN_PX, innerHeight - box.offsetHeight - MARGIN_PX));
  Object.assign(box.style, { left: `${left}px`, top: `${top}px`, maxHeight: `${innerHeight - top - MARGIN_PX}px` });
}
