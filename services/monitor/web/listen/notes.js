// Notes about what is heard, pinned to the second at which one began to write.

import { api } from "/static/shared/api.js";
import { h, keyed, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { clock, duration } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";

const LONGEST = 2000;

export class Notes {
  constructor(board, deck, user) {
    Object.assign(this, { board, deck, user, item: null, drafts: new WeakMap(), found: new Map(), callKey: "" });
    this.title = h("h3");
    this.pin = h("span", { class: "note-pin num" });
    this.input = h("input", { class: "input note-input", type: "text", maxlength: String(LONGEST), autocomplete: "off" });
    this.input.addEventListener("input", () => this.#typed());
    this.save = h("button", { class: "button", type: "submit" });
    this.form = h("form", { class: "note-form", on: { submit: (event) => this.#submit(event) } }, this.pin, this.input, this.save);
    this.trouble = h("p", { class: "mode-trouble", role: "alert", hidden: true });
    this.none = h("p", { class: "muted note-none" });
    this.list = h("ul", { class: "note-list" });
    this.node = h("section", { class: "notes" }, this.title, this.form, this.trouble, this.none, this.list);
  }

  update() {
    const { item } = this.deck;
    if (item !== this.item) this.#show(item);
    if (!item) return;
    this.#ask(item.callKey);
    setText(this.title, t("listen.notes"));
    setAttr(this.input, "placeholder", t("listen.notes.write"));
    setAttr(this.input, "aria-label", t("listen.notes.write"));
    setText(this.save, t("listen.notes.save"));
    this.input.disabled = item.startedMs === null;
    this.save.disabled = item.startedMs === null || !this.input.value.trim();
    const late = item.isOver && item.startedMs === null; // nobody heard it here, and nobody will
    setHidden(this.form, late);
    const notes = this.found.get(item.callKey) ?? [];
    setHidden(this.none, notes.length > 0);
    setText(this.none, t(item.startedMs === null && !late ? "listen.notes.first" : "listen.notes.none"));
    keyed(this.list, notes, ({ id }) => id, createNote, (node, note) => {
      const [at, text, by] = node.children;
      setText(at, clock(note.said_at, this.board.zone(note.site)));
      setText(text, note.text);
      setText(by, note.by === this.user().user ? "" : note.by_name || note.by);
      setAttr(at, "title", t("listen.notes.into", { time: duration(note.at_s) }));
    });
    this.tick();
  }

  /** Each place of the deck keeps what was being written. */
  #show(item) {
    this.item = item;
    const draft = item && this.drafts.get(item);
    this.input.value = draft?.text ?? "";
    setHidden(this.trouble, true);
    this.callKey = "";
  }

  tick() {
    const { item } = this.deck;
    if (!item) return;
    const at = this.drafts.get(item)?.at ?? item.atS();
    setText(this.pin, at === null ? "–:––" : duration(at));
  }

  #typed() {
    const { item } = this.deck;
    const text = this.input.value;
    const at = this.drafts.get(item)?.at ?? item.atS();
    if (text.trim()) this.drafts.set(item, { text, at, listenId: this.drafts.get(item)?.listenId ?? item.listen.listen_id, startedMs: this.drafts.get(item)?.startedMs ?? item.startedMs });
    else this.drafts.delete(item);
    this.save.disabled = !text.trim();
    this.tick();
  }

  async #submit(event) {
    event.preventDefault();
    const { item } = this.deck;
    const draft = this.drafts.get(item);
    if (!draft) return;
    this.save.disabled = true;
    try {
      const note = await api.post(`/api/v1/listens/${draft.listenId}/notes`, { at_s: Math.round(draft.at * 10) / 10, text: draft.text.trim() });
      this.#take(note);
      item.mark({ at: draft.startedMs + draft.at * 1000, kind: "note", label: note.text.slice(0, 40) });
      if (this.drafts.get(item) === draft) {
        this.drafts.delete(item);
        if (this.deck.item === item) this.input.value = "";
      }
      setHidden(this.trouble, true);
    } catch (error) {
      if (error.name !== "ApiError") throw error;
      setText(this.trouble, t("listen.notes.kept", { why: error.detail || error.title }));
      setHidden(this.trouble, false);
    } finally {
      this.save.disabled = false;
      item.changed();
    }
  }

  #take(note) {
    const key = `${note.site}/${note.call_id}`;
    const others = (this.found.get(key) ?? []).filter(({ id }) => id !== note.id);
    this.found.set(key, [...others, note].sort((a, b) => Date.parse(a.said_at) - Date.parse(b.said_at)));
  }

  /** What everybody noted about the call, once it is shown. */
  async #ask(callKey) {
    if (!callKey || callKey === this.callKey) return;
    this.callKey = callKey;
    const { site } = this.deck.item.target;
    try {
      const { notes } = await api.get("/api/v1/notes", { site, call_id: callKey.slice(site.length + 1) });
      for (const note of notes) this.#take(note);
      if (this.deck.item) this.deck.item.changed();
    } catch (error) {
      if (error.name !== "ApiError") throw error;
    }
  }

  focus() {
    this.input.focus();
  }
}

function createNote() {
  return h("li", { class: "note" }, h("span", { class: "note-at num" }), h("span", { class: "note-text" }), h("span", { class: "muted" }));
}
