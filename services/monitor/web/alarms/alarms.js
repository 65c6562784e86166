// Calls whoever wants to be called when a flag is newly raised: by sound, by a notification of the desktop, or both.
//
// Nothing sounds for what stood there when the page opened, nor twice for one flag, also when the feed was lost meanwhile.
// While the board shows another time than now nothing sounds; what was raised meanwhile is told once when it is back. In a
// storm there is one sound and one notification for many, at most every few seconds.

import { t } from "/static/shared/i18n.js";
import { alarmChoice, calls } from "/static/shared/alarms/choice.js";
import { notify } from "/static/shared/alarms/desktop.js";
import { playAlarm } from "/static/shared/alarms/sound.js";

const GATHER_MS = 300; // what comes together is one alarm
const EVERY_MS = 5000;
const REMEMBERED = 2000; // flags that are gone and might come back with a late picture
const LISTED = 3;

export class Alarms {
  /** `away()` is true while the board does not show now; `choice()` gives what is wanted, as `alarmChoice()` does. */
  constructor(board, { away = () => false, choice = alarmChoice } = {}) {
    Object.assign(this, { board, away, choice, known: null, waiting: new Map(), timer: null, last: -Infinity });
  }

  /** Look at the flags on the board; called after each drawing, `changed` saying whether any of them did. */
  hear(changed = true) {
    const { loaded, flags } = this.board.store;
    if (!loaded || this.away() || (!changed && this.known && !this.waiting.size)) return;
    const first = this.known === null;
    this.known ??= new Set();
    for (const [key, flag] of flags) {
      if (this.known.has(key)) continue;
      this.known.add(key);
      if (!first && calls(flag, this.choice())) this.waiting.set(key, flag);
    }
    this.#forget(flags);
    if (this.waiting.size) this.#soon();
  }

  #forget(flags) {
    if (this.known.size <= flags.size + REMEMBERED) return;
    for (const key of this.known) {
      if (this.known.size <= flags.size + REMEMBERED) return;
      if (!flags.has(key)) this.known.delete(key);
    }
  }

  #soon() {
    if (this.timer !== null) return;
    const wait = Math.max(GATHER_MS, this.last + EVERY_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = null;
      this.#call();
    }, wait);
  }

  #call() {
    if (this.away()) return; // what waits is told when the board is back
    const { flags } = this.board.store;
    const fresh = [...this.waiting].filter(([key]) => flags.has(key)).map(([, flag]) => flag);
    this.waiting.clear();
    if (!fresh.length) return;
    this.last = performance.now();
    const { sound, volume, notify: desktop } = this.choice();
    if (sound) playAlarm(volume);
    if (desktop) this.#notify(fresh);
  }

  #notify(flags) {
    const { board } = this;
    const line = (flag) => [board.summary(flag), board.whereOf(flag)].filter(Boolean).join(" · ");
    const title =
      flags.length === 1 ? t(`alarm.one.${flags[0].severity}`) : t("alarm.many", { n: flags.length });
    const more = flags.length > LISTED ? [t("alarm.more", { n: flags.length - LISTED })] : [];
    notify(title, [...flags.slice(0, LISTED).map(line), ...more].join("\n"), () => board.focusFlag?.(flags[0]));
  }
}
