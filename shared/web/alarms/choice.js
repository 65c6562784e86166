// What somebody wants to be called for, and how: kept under the preference `alarms`, everything off until they say so.

import { onPrefs, prefs } from "/static/shared/prefs.js";

export const ALARM_SEVERITIES = ["critical", "warning"];

const USUAL = { sound: false, volume: 0.6, notify: false, severities: ["critical"], quiet_rules: [], quiet_sites: [] };

/** {sound, volume 0 to 1, notify, severities, quiet_rules, quiet_sites}: who is quiet never alarms; a new rule or site does. */
export function alarmChoice() {
  const choice = { ...USUAL, ...prefs.get("alarms", {}) };
  return { ...choice, volume: Math.min(1, Math.max(0, Number(choice.volume) || 0)) };
}

/** Change some of it. */
export function chooseAlarm(values) {
  prefs.set("alarms", { ...alarmChoice(), ...values });
}

/** Call `listener()` after each change. */
export function onAlarmChoice(listener) {
  return onPrefs((key) => key === "alarms" && listener());
}

/** Whether `flag` is one that `choice` wants to be called for. */
export function calls(flag, { severities, quiet_rules: rules, quiet_sites: sites }) {
  return severities.includes(flag.severity) && !rules.includes(flag.rule) && !sites.includes(flag.site);
}
