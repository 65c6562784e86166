// Putting text on the clipboard, and saying on the button that did it whether that went well.

import { h, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";

const SAID_MS = 2000;

/** A button with the words `key` that copies what `text()` says; `button.copy()` is the same from elsewhere, such as a key. */
export function copyButton(key, hint, text, look = "button quiet") {
  const words = h("span", { text: t(key) });
  const button = h("button", { class: look, type: "button", title: t(hint), on: { click: () => button.copy() } }, words);
  button.copy = async () => {
    const done = await copyText(text());
    setText(words, t(done ? "detail.copied" : "detail.copy.failed"));
    setTimeout(() => setText(words, t(key)), SAID_MS);
  };
  return button;
}

/** Whether it worked: a page without https has no clipboard, but may still copy what is selected. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { class: "visually-hidden", value: text });
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
