// One timer for everything that moves by itself. Four beats a second: a shown second is at most a quarter late.

const listeners = new Set();
let timer = null;

function beat() {
  const now = performance.now();
  for (const listener of listeners) listener(now);
}

function wake() {
  if (timer === null && listeners.size) timer = setInterval(beat, 250);
}

/** Call `listener(performance.now())` on every beat; returns a function that stops it. */
export function onTick(listener) {
  listeners.add(listener);
  wake();
  return () => {
    listeners.delete(listener);
    if (!listeners.size) {
      clearInterval(timer);
      timer = null;
    }
  };
}
