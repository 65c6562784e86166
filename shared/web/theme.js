// The theme: the system's, or the reader's own choice, remembered.

import { recall, remember } from "./storage.js";

export const THEMES = ["system", "dark", "light"];

export function theme() {
  const stored = recall("theme", "system");
  return THEMES.includes(stored) ? stored : "system";
}

/** `system`, `dark` or `light`. */
export function setTheme(name) {
  if (name === "system") {
    delete document.documentElement.dataset.theme;
    remember("theme", null);
  } else {
    document.documentElement.dataset.theme = name;
    remember("theme", name);
  }
}
