// Worklets are loaded once for each AudioContext; what could not be loaded is tried again the next time.

const loaded = new WeakMap(); // context -> {file: Promise}

/** Load `file`, which lies beside this one. Rejects when the browser cannot. */
export async function loadWorklet(context, file) {
  if (!loaded.has(context)) loaded.set(context, {});
  const files = loaded.get(context);
  files[file] ??= context.audioWorklet.addModule(new URL(`./${file}`, import.meta.url));
  try {
    await files[file];
  } catch (error) {
    delete files[file];
    throw error;
  }
}
