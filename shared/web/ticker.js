// One timer for everything that moves by itself. Four beats a second: a shown second is at most a quarter late. What is timed
// in tenths, and judged by them, gets ten.

function beater(everyMs) {
  const listeners = new Set();
  let timer = null;
  const beat = () => {
    const now = performance.now();
    for (const listener of listeners) listener(now);
  };
  return (listener) => {
    listeners.add(listener);
    timer ??= setInterval(beat, everyMs);
    return () => {
      listeners.delete(listener);
      if (listeners.size) return;
      clearInterval(timer);
      timer = null;
    };
  };
}

/** Call `listener(performance.now())` on every beat; returns a function that stops it. */
export const onTick = beater(250);

/** The same ten times a second. */
export const onFastTick = beater(100);
