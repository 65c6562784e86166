// What the advice says, in both languages at once: who marks an item as done leaves its words for readers of either.

import strings from "./strings.js";

export const LANGUAGES = { en: "en", zh: "zh-CN" };
const NAMED = 3; // names in one text; the rest is counted

/** The text of `key` in `language` ("en" or "zh"); `{n}` is a value, `{n|one|many}` picks by number. */
export function phrase(language, key, values = {}) {
  const text = strings[LANGUAGES[language]][key] ?? key;
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) => {
    if (one !== undefined) return Number(values[name]) === 1 ? one : many;
    return values[name] ?? "";
  });
}

/** {en, zh} of `key`; a value that is {en, zh} itself is said in its language. */
export function both(key, values = {}) {
  const said = (language) => phrase(language, key, inLanguage(values, language));
  return { en: said("en"), zh: spaced(said("zh")) };
}

/** Chinese set beside Latin letters or figures has a space between them. */
function spaced(text) {
  return text.replace(/([A-Za-z0-9%])(\p{Script=Han})/gu, "$1 $2").replace(/(\p{Script=Han})([A-Za-z0-9])/gu, "$1 $2");
}

function inLanguage(values, language) {
  const picked = {};
  for (const [name, value] of Object.entries(values)) {
    picked[name] = value !== null && typeof value === "object" ? value[language] : value;
  }
  return picked;
}

const TIME = /\uE000(\d+)\uE001/g; // seconds that still wait for their format
const AS_SECONDS = 100; // below: "62 s"; a text with a longer time tells all of its times as m:ss

/** Seconds within a text, told once `inOneFormat` has seen all of it. Never negative: clocks may differ by a moment. */
export function spoken(seconds) {
  const mark = `\uE000${Math.max(0, Math.floor(seconds))}\uE001`;
  return { en: mark, zh: mark };
}

/** The texts (each {en, zh} or null) with their times in one format: all in seconds, or all as m:ss when one is long. */
export function inOneFormat(...texts) {
  const times = texts.flatMap((text) => [...(text?.en ?? "").matchAll(TIME)].map((found) => Number(found[1])));
  const tell = Math.max(0, ...times) < AS_SECONDS ? inSeconds : () => asClock;
  const told = (text, name) => text.replace(TIME, (_, seconds) => tell(name)(Number(seconds)));
  return texts.map((text) => text && { en: told(text.en, "en"), zh: spaced(told(text.zh, "zh")) });
}

const inSeconds = (name) => (n) => phrase(name, "act.seconds", { n });

function asClock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Tenths of a second, for what is judged in them. */
export function tenths(seconds) {
  return both("act.seconds", { n: Math.max(0, seconds).toFixed(1) });
}

/** A share of 0 to 1: "87%". Never rounds up to 100%. */
export function share(value) {
  return `${value < 1 ? Math.min(99, Math.round(value * 100)) : 100}%`;
}

/** Parts {en, zh} in a row, as a list is written in each language. */
export function joined(parts, by = "act.join") {
  const row = (language) => parts.map((part) => part[language]).join(phrase(language, by));
  return { en: row("en"), zh: row("zh") };
}

/** The first few of `parts`, each told by `tell` as {en, zh}, the rest as a number; `key` says how. */
export function bounded(parts, key = "act.more", tell = (part) => part) {
  const names = joined(parts.slice(0, NAMED).map(tell));
  if (parts.length <= NAMED) return names;
  return both(key, { names, n: parts.length - NAMED });
}
