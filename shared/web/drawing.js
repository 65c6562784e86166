// Drawing no more often than a picture is shown, however often something changes.

const HIDDEN_MS = 1000;

/**
 * A function that has `draw()` called at the next frame, once however often it is asked. A page that nobody sees gets no frames, and
 * must not hoard changes: it is drawn once a second. `.waits()` says whether a draw is still to come.
 */
export function oncePerFrame(draw) {
  let waits = false;
  const now = () => {
    waits = false;
    draw();
  };
  function soon() {
    if (waits) return;
    waits = true;
    if (document.hidden) setTimeout(now, HIDDEN_MS);
    else requestAnimationFrame(now);
  }
  return Object.assign(soon, { waits: () => waits });
}
