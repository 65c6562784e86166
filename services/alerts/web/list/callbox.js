// Whether one wants to be called for new incidents, and how: the same choice as the wallboard's alarms.

import { ALARM_SEVERITIES, alarmChoice, chooseAlarm, onAlarmChoice } from "/static/shared/alarms/choice.js";
import { askPermission, permission } from "/static/shared/alarms/desktop.js";
import { allowSound, playAlarm } from "/static/shared/alarms/sound.js";
import { h } from "/static/shared/dom.js";
import { onLanguage, t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { popup } from "/static/shared/popup.js";

/** The button and its box, for the top bar's tools. */
export function callBox() {
  const found = popup({ id: "calls", shape: "muted", draw });
  found.box.classList.add("call-box");
  found.button.classList.add("quiet");
  const render = () => {
    const { sound, notify } = alarmChoice();
    setIcon(found.button.firstChild, sound || notify ? "listened" : "muted");
    found.label(t(sound || notify ? "call.on" : "call.off"));
    found.redraw();
  };
  onAlarmChoice(render);
  onLanguage(render);
  render();
  return [found.button, found.box];
}

function draw() {
  const { sound, notify, volume, severities } = alarmChoice();
  const allowed = permission();
  const loud = h("input", { type: "range", min: 0, max: 100, step: 5, value: volume * 100, disabled: !sound, "aria-label": t("call.volume"), "data-focus": "volume" });
  loud.addEventListener("change", () => {
    chooseAlarm({ volume: Number(loud.value) / 100 });
    playAlarm(Number(loud.value) / 100);
  });
  return [
    h("h3", { text: t("call.title") }),
    h("p", { class: "muted", text: t("call.lead") }),
    toggle("sound", sound, async (on) => {
      chooseAlarm({ sound: on });
      if (on && (await allowSound()) === "running") playAlarm(volume);
    }),
    h("label", { class: "call-volume" }, h("span", { class: "muted", text: t("call.volume") }), loud),
    toggle("notify", notify && allowed === "granted", async (on) => {
      if (on) await askPermission();
      chooseAlarm({ notify: on && permission() === "granted" });
    }),
    allowed === "denied" || allowed === "missing" ? h("p", { class: "muted" }, icon("warning"), " ", t(`call.notify.${allowed}`)) : null,
    h(
      "fieldset",
      { class: "call-severities" },
      h("legend", { class: "muted", text: t("call.severities") }),
      ALARM_SEVERITIES.map((name) => toggleSeverity(name, severities)),
    ),
  ];
}

function toggle(name, on, change) {
  const box = h("input", { type: "checkbox", role: "switch", checked: on, "data-focus": name });
  box.addEventListener("change", () => change(box.checked));
  return h("label", { class: "call-choice" }, box, h("span", { text: t(`call.${name}`) }));
}

function toggleSeverity(name, severities) {
  const box = h("input", { type: "checkbox", checked: severities.includes(name), "data-focus": name });
  box.addEventListener("change", () => chooseAlarm({ severities: box.checked ? [...severities, name] : severities.filter((one) => one !== name) }));
  return h("label", { class: "call-choice", data: { tone: name } }, box, icon(name), h("span", { text: t(`severity.${name}`) }));
}
