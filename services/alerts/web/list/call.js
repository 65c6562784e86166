// Calls whoever wants to be called when an incident is new, came back or got worse: by sound, by a notification of the desktop. The
// choice is that of the wallboard's alarms. In a storm there is one sound and one notification for many, every few seconds at most.

import { alarmChoice, calls } from "/static/shared/alarms/choice.js";
import { notify } from "/static/shared/alarms/desktop.js";
import { playAlarm } from "/static/shared/alarms/sound.js";
import { t } from "/static/shared/i18n.js";
import { siteName } from "../sites.js";
import { summaryOf } from "../words.js";
import { SEVERITIES } from "./view.js";

const GATHER_MS = 300; // what comes together is one alarm
const EVERY_MS = 5000;
const LISTED = 3;

function wants(incident) {
  const choice = alarmChoice();
  return (choice.sound || choice.notify) && calls(incident, choice);
}

export class Caller {
  /** `onOpen(number)`: somebody clicked the notification; `onCall(incidents)`: for the reader of the screen. */
  constructor({ onOpen, onCall }) {
    Object.assign(this, { onOpen, onCall, waiting: new Map(), timer: null, last: -Infinity });
  }

  /** The feed told of an incident; `before`: what was known of it. */
  hear(incident, before) {
    if (incident.state !== "open" || incident.held) return void this.waiting.delete(incident.id);
    const news = before === null || before.openings < incident.openings || SEVERITIES.indexOf(incident.severity) < SEVERITIES.indexOf(before.severity);
    if (news || this.waiting.has(incident.id)) this.waiting.set(incident.id, { incident, wanted: wants(incident) });
    if (this.waiting.size) this.#soon();
  }

  #soon() {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.#call();
    }, Math.max(GATHER_MS, this.last + EVERY_MS - performance.now()));
  }

  #call() {
    const found = [...this.waiting.values()];
    this.waiting.clear();
    if (!found.length) return;
    this.last = performance.now();
    this.onCall(found.map(({ incident }) => incident).filter(({ severity }) => severity === "critical"));
    const choice = alarmChoice();
    const wanted = found.filter((one) => one.wanted).map(({ incident }) => incident);
    if (!wanted.length) return;
    if (choice.sound) playAlarm(choice.volume);
    if (choice.notify) this.#notify(wanted);
  }

  #notify(found) {
    const line = (one) => `#${one.id} ${summaryOf(one)} · ${siteName(one.site)}`;
    const title = found.length === 1 ? t(`call.one.${found[0].severity}`) : t("call.many", { n: found.length });
    const more = found.length > LISTED ? [t("call.more", { n: found.length - LISTED })] : [];
    notify(title, [...found.slice(0, LISTED).map(line), ...more].join("\n"), () => this.onOpen(found[0].id));
  }
}
