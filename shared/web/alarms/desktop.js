// Notifications of the desktop. Permission is only ever asked for in somebody's click.

const TAG = "floorwatch.alarm"; // a new one takes the place of the last, also that of another tab
const ICON = "/static/shared/favicon.svg";

/** "granted", "denied", "default" (not asked yet), or "missing": no such thing here, or the page is not served safely. */
export function permission() {
  if (typeof Notification !== "function" || !window.isSecureContext) return "missing";
  return Notification.permission;
}

/** Ask; call it in a click. Resolves to `permission()`. */
export async function askPermission() {
  if (permission() === "default") await Notification.requestPermission();
  return permission();
}

/** Show one; false when it may not or the browser cannot. `onClick` is called when somebody clicks it. */
export function notify(title, body, onClick = () => {}) {
  if (permission() !== "granted") return false;
  try {
    const shown = new Notification(title, { body, tag: TAG, renotify: true, icon: ICON });
    shown.onclick = () => {
      window.focus();
      shown.close();
      onClick();
    };
    return true;
  } catch {
    return false; // some browsers show them from a service worker only
  }
}
