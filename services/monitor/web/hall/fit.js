// Words that nobody can scroll to: written in the largest size at which nothing of them is cut.

let typefaces = 0; // words have another width once their typeface has come
document.fonts.addEventListener("loadingdone", () => (typefaces += 1));

/** What decides how much room a text needs: figures are all of one width, so a running time is measured once. */
export function pattern(text) {
  return text.replace(/\d/g, "0");
}

/** Whether a line of `node` is longer than it is wide. */
export function isTooLong(node) {
  return node.scrollWidth > node.clientWidth + 1;
}

/** Whether a line is too long, or there are more of them than it is high. Half a line's height beyond is the typeface's own air. */
function isCut(node) {
  const line = parseFloat(getComputedStyle(node).lineHeight);
  return isTooLong(node) || node.scrollHeight > node.clientHeight + line / 2;
}

/** Sets a step [size, lines] as `--size` and `--lines` of the stylesheet. */
export function onLines({ style }, [size, lines]) {
  style.setProperty("--size", String(size));
  style.setProperty("--lines", String(lines));
  style.whiteSpace = lines > 1 ? "normal" : "nowrap";
}

/**
 * Set the first of `steps` at which `cut(node)` finds nothing cut, else the last; true when nothing is. Measured anew only when `key`,
 * all that the room and the need for it depend on, is another than before.
 */
export function fit(node, key, steps, { set = sized, cut = isCut } = {}) {
  const whole = `${typefaces} ${key}`;
  if (node.fitKey === whole) return node.fits;
  node.fitKey = whole;
  node.fits = steps.some((step) => {
    set(node, step);
    return !cut(node);
  });
  return node.fits;
}

/** A step as a factor of the font's size, `--fit` in the stylesheet. */
function sized(node, step) {
  node.style.setProperty("--fit", String(step));
}
