// Where an incident is shown: in a wide window beside the list, which stays in use; in a narrow one over it; as a page of its own
// where somebody followed a link to it or wants more room.

import { fill, h, setAttr, setData, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";

const bars = () => ["topbar", "subnav"].map((id) => document.getElementById(id)).filter(Boolean);
const WIDE = matchMedia("(min-width: 1366px)");

export class DetailDrawer {
  /** `onClose()` runs once, however it was closed; `onMode(full)` whenever it becomes a page or a drawer again. */
  constructor({ onClose, onMode }) {
    Object.assign(this, { onClose, onMode, full: false, isOpen: false, opener: document.activeElement });
    this.title = h("h2", { class: "truncate", tabindex: "-1", autofocus: true });
    this.tools = h("div", { class: "row detail-tools" });
    this.grow = this.#button("columns", () => this.setFull(!this.full));
    this.shut = this.#button("close", () => this.close());
    this.body = h("div", { class: "detail-body" });
    const head = h("div", { class: "drawer-head" }, this.title, this.tools, this.grow, this.shut);
    this.dialog = h("dialog", { class: "drawer detail" }, head, this.body);
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.close());
    this.onKey = (event) => this.#key(event);
    this.onRoom = new ResizeObserver(() => this.#place());
    this.onScroll = () => this.#place();
    this.onWidth = () => this.#fit();
  }

  #button(shape, onClick) {
    return h("button", { class: "button quiet icon-only", type: "button", on: { click: onClick } }, icon(shape));
  }

  open(title, full) {
    this.isOpen = true;
    this.full = full;
    setText(this.title, title);
    setAttr(this.dialog, "aria-label", title);
    document.body.append(this.dialog);
    document.addEventListener("keydown", this.onKey, { capture: true });
    WIDE.addEventListener("change", this.onWidth);
    this.onRoom.observe(document.body);
    window.addEventListener("scroll", this.onScroll, { passive: true });
    for (const bar of bars()) this.onRoom.observe(bar);
    this.#fit();
  }

  setTools(...nodes) {
    fill(this.tools, nodes);
  }

  setFull(full) {
    this.full = full;
    this.#fit();
  }

  close() {
    if (!this.isOpen) return;
    this.isOpen = false;
    const hadFocus = this.dialog.contains(document.activeElement) || document.activeElement === document.body;
    document.removeEventListener("keydown", this.onKey, { capture: true });
    WIDE.removeEventListener("change", this.onWidth);
    window.removeEventListener("scroll", this.onScroll);
    this.onRoom.disconnect();
    delete document.body.dataset.detail;
    this.dialog.remove();
    if (hadFocus && this.opener instanceof HTMLElement && this.opener.isConnected) this.opener.focus({ preventScroll: true });
    this.onClose();
  }

  /** As a page, beside the list or over it. */
  #fit() {
    const beside = WIDE.matches;
    const focused = this.dialog.contains(document.activeElement) ? document.activeElement : null;
    if (this.dialog.open) this.dialog.close();
    if (beside || this.full) this.dialog.show();
    else this.dialog.showModal();
    focused?.focus({ preventScroll: true });
    setData(this.dialog, "full", this.full ? "yes" : "");
    document.body.dataset.detail = this.full ? "full" : beside ? "beside" : "over";
    const words = t(this.full ? "detail.shrink" : "detail.grow");
    for (const [node, text] of [
      [this.grow, words],
      [this.shut, t("action.close")],
    ]) {
      setAttr(node, "aria-label", text);
      setAttr(node, "title", text);
    }
    setIcon(this.grow.firstChild, this.full ? "columns" : "open");
    this.#place();
    this.onMode(this.full);
  }

  /** Beside the list and as a page it begins below the bars on top, which stay in use. */
  #place() {
    const below = this.full || WIDE.matches;
    const bottom = Math.max(0, ...bars().map((bar) => bar.getBoundingClientRect().bottom)); // 0 once they are scrolled away
    this.dialog.style.top = below ? `${bottom}px` : "";
  }

  #key(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    const another = [...document.querySelectorAll("dialog:modal, [popover]:popover-open")].some((one) => one !== this.dialog);
    const typingElsewhere = !this.dialog.contains(event.target) && event.target.closest?.("input, textarea, select");
    if (another || typingElsewhere) return;
    event.preventDefault();
    event.stopPropagation();
    this.close();
  }
}
