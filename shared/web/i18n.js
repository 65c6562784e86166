// Words in the reader's language.
//
// A page hands over its dictionary once, before it builds anything:
//     import strings from "./strings.js";            // export default { "en": {...}, "zh-CN": {...} }
//     useStrings(strings);
//     t("queue.waiting", { n: 3 })                   // "{n} {n|call|calls} waiting" -> "3 calls waiting"
// In HTML: data-t="key" sets the text, data-t-title / data-t-placeholder / data-t-aria-label an attribute.
// The body of a strings.js is plain JSON after "export default", so that a test can read it.

import codes from "./codes/strings.js";
import { recall, remember } from "./storage.js";
import shared from "./strings.js";

export const LANGUAGES = { en: "English", "zh-CN": "简体中文" };

const words = { en: {}, "zh-CN": {} };
const listeners = new Set();

useStrings(codes);
useStrings(shared);

let current = detect();
apply();

function detect() {
  const asked = new URLSearchParams(location.search).get("lang");
  for (const wanted of [asked, recall("lang"), ...(navigator.languages ?? [navigator.language])]) {
    if (!wanted) continue;
    if (/^zh/i.test(wanted)) return "zh-CN";
    if (/^en/i.test(wanted)) return "en";
  }
  return "en";
}

function apply() {
  document.documentElement.lang = current;
}

/** Add a page's dictionary to the shared one. */
export function useStrings(strings) {
  for (const language of Object.keys(words)) Object.assign(words[language], strings[language]);
}

/** `en` or `zh-CN`. */
export function language() {
  return current;
}

export function setLanguage(wanted) {
  if (!(wanted in LANGUAGES) || wanted === current) return;
  current = wanted;
  remember("lang", wanted);
  const url = new URL(location.href);
  if (url.searchParams.has("lang")) {
    url.searchParams.set("lang", wanted);
    history.replaceState(history.state, "", url);
  }
  apply();
  translateTree(document);
  for (const listener of listeners) listener(current);
}

/** Call `listener(language)` after each change; returns a function that stops it. */
export function onLanguage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The text for `key`. A key nobody wrote shows as itself, which a test forbids. */
export function t(key, values = {}) {
  const text = words[current][key] ?? words.en[key] ?? key;
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) => {
    if (one !== undefined) return Number(values[name]) === 1 ? one : many;
    return values[name] ?? "";
  });
}

/** Whether somebody wrote a text for `key`; for words that come from data, such as break reasons. */
export function known(key) {
  return key in words[current];
}

const ATTRIBUTES = ["title", "placeholder", "aria-label"];
const SELECTOR = ["[data-t]", ...ATTRIBUTES.map((name) => `[data-t-${name}]`)].join(",");

/** Fill in every data-t of `root`. Done again by itself when the language changes. */
export function translateTree(root) {
  for (const node of root.querySelectorAll(SELECTOR)) {
    if (node.hasAttribute("data-t")) node.textContent = t(node.getAttribute("data-t"));
    for (const name of ATTRIBUTES) {
      const key = node.getAttribute(`data-t-${name}`);
      if (key !== null && node !== document.documentElement) node.setAttribute(name, t(key)); // the page's own title is no tooltip of all of it
    }
  }
  const title = document.documentElement.dataset.tTitle;
  if (title) document.title = t(title);
}
