// Choices that outlive the page. A browser that blocks storage forgets them and works otherwise.

const PREFIX = "floorwatch.";

/** The stored string for `name`, or `otherwise`. */
export function recall(name, otherwise = "") {
  try {
    return localStorage.getItem(PREFIX + name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Store `value`; null forgets it. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // private mode or a full disk: nothing a viewer could do about it
  }
}
