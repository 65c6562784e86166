// The drawer: a panel at the right. In a wide window it stands beside the board, which stays in use; in a narrow one it lies over it.

import { h, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";

const WIDE = matchMedia("(min-width: 1366px)");
const FOR_THE_PAGE = new Set(["/", "?"]); // all else that is pressed in here, arrows too, is for in here

/** Whether a key belongs to a field and not to the page. */
function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function button(className, shape, onClick) {
  return h("button", { class: `button quiet icon-only ${className}`, type: "button", on: { click: onClick } }, icon(shape));
}

export class Drawer {
  /**
   * `onClose()` runs once, however it was closed; `onStep(1 | -1)` is asked for the next or the one before; `home()` gives the
   * node that gets the focus when whoever opened it is gone.
   */
  constructor({ onClose, onStep, home }) {
    Object.assign(this, { onClose, onStep, home, opener: document.activeElement, isOpen: false });
    this.title = h("h2", { class: "truncate", tabindex: "-1", autofocus: true });
    this.before = button("drawer-before", "down", () => this.onStep(-1));
    this.after = button("drawer-after", "down", () => this.onStep(1));
    this.shut = button("drawer-close", "close", () => this.close());
    this.body = h("div", { class: "drawer-body" });
    const head = h("div", { class: "drawer-head" }, this.title, this.before, this.after, this.shut);
    this.dialog = h("dialog", { class: "drawer side-drawer" }, head, this.body);
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.close());
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    this.dialog.addEventListener("keydown", (event) => FOR_THE_PAGE.has(event.key) || event.stopPropagation());
    this.dialog.addEventListener("close", () => !this.dialog.open && this.close());
    this.onKey = (event) => this.#key(event);
    this.onWidth = () => this.#fit();
    this.onRoom = new ResizeObserver(() => this.#place());
  }

  open() {
    this.isOpen = true;
    document.body.append(this.dialog);
    document.addEventListener("keydown", this.onKey, { capture: true }); // before what the page itself does with a key
    WIDE.addEventListener("change", this.onWidth);
    for (const node of document.body.children) if (node !== this.dialog) this.onRoom.observe(node);
    this.translate();
    this.#fit();
  }

  /** Say the drawer's own words in the language of now. */
  translate() {
    for (const [node, words] of [
      [this.before, t("drawer.before")],
      [this.after, t("drawer.after")],
      [this.shut, t("action.close")],
    ]) {
      setAttr(node, "aria-label", words);
      setAttr(node, "title", words);
    }
  }

  setTitle(text) {
    setText(this.title, text);
    setAttr(this.dialog, "aria-label", text);
  }

  /** Whether there are others to step to. */
  setSteps(any) {
    setHidden(this.before, !any);
    setHidden(this.after, !any);
  }

  close() {
    if (!this.isOpen) return;
    this.isOpen = false;
    const hadFocus = this.dialog.contains(document.activeElement) || document.activeElement === document.body;
    document.removeEventListener("keydown", this.onKey, { capture: true });
    WIDE.removeEventListener("change", this.onWidth);
    this.onRoom.disconnect();
    delete document.body.dataset.drawer;
    this.dialog.remove();
    this.onClose();
    if (hadFocus) this.#giveFocusBack();
  }

  #giveFocusBack() {
    const { opener } = this;
    const stillThere = opener instanceof HTMLElement && opener.isConnected && opener !== document.body;
    (this.home() ?? (stillThere ? opener : null))?.focus({ preventScroll: true });
  }

  /** Beside the board or over it, as the window is wide. */
  #fit() {
    const focused = this.dialog.contains(document.activeElement) ? document.activeElement : null;
    if (this.dialog.open) this.dialog.close();
    if (WIDE.matches) this.dialog.show();
    else this.dialog.showModal();
    focused?.focus({ preventScroll: true });
    document.body.dataset.drawer = WIDE.matches ? "beside" : "over";
    this.#place();
  }

  /** Beside the board it begins below the bars on top, which stay whole. */
  #place() {
    const main = document.getElementById("main");
    this.dialog.style.top = WIDE.matches && main ? `${main.offsetTop}px` : "";
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const inside = this.dialog.contains(event.target);
    if (event.key === "Escape") {
      const another = [...document.querySelectorAll("dialog:modal")].some((dialog) => dialog !== this.dialog);
      if (another || (!inside && isTyping(event.target))) return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
      return;
    }
    const step = { j: 1, J: 1, k: -1, K: -1 }[event.key];
    if (!step || isTyping(event.target)) return;
    event.preventDefault();
    this.onStep(step);
  }
}
