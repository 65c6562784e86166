// Sound and desktop notifications: off until somebody switches them on, and plain about what the browser allows.

import { fill, h, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";
import { api } from "/static/shared/api.js";
import { ALARM_SEVERITIES, alarmChoice, chooseAlarm, onAlarmChoice } from "/static/shared/alarms/choice.js";
import { askPermission, notify, permission } from "/static/shared/alarms/desktop.js";
import { allowSound, playAlarm, soundState } from "/static/shared/alarms/sound.js";

let rules = null; // names of the rule book, once it has been asked for

/** The page: {nodes, stop}. */
export function alarmPage(board, dialog) {
  const sound = soundPart();
  const desktop = desktopPart();
  const scope = h("div", { class: "settings-scope" });
  const draw = () => {
    sound.draw();
    desktop.draw();
    fill(scope, severityPart(), sitePart(board), rulePart());
  };
  draw();
  if (rules === null) loadRules().then(() => dialog.opened && draw());
  return {
    nodes: [
      h("p", { class: "settings-lead" }, t("settings.alarms.lead")),
      h("section", { class: "settings-section" }, sound.node, desktop.node),
      h("section", { class: "settings-section" }, h("h3", {}, t("settings.alarms.what")), scope),
    ],
    stop: onAlarmChoice(() => {
      sound.draw();
      desktop.draw();
    }),
  };
}

/** A switch with its words, a place for what the browser says, and what belongs to it. */
function switchPart(name, { toggle, test, extra = [] }) {
  const box = h("input", { type: "checkbox", role: "switch", id: `alarm-${name}` });
  const shape = h("span", {}, icon("info"));
  const words = h("span");
  const said = h("p", { class: "alarm-said", role: "status" }, shape, words);
  const button = h("button", { class: "button", type: "button", on: { click: test } }, t("settings.test"));
  setAttr(button, "aria-label", t(`settings.test.${name}`));
  box.addEventListener("change", () => toggle(box.checked));
  const label = h("label", { class: "alarm-label", for: `alarm-${name}` }, h("strong", {}, t(`settings.${name}`)), h("span", { class: "muted" }, t(`settings.${name}.meaning`)));
  const node = h("div", { class: "alarm-part" }, box, label, h("div", { class: "alarm-extra" }, extra, button), said);
  return {
    node,
    button,
    draw(on, tone, text) {
      box.checked = on;
      setHidden(said, !text);
      setData(said, "tone", tone);
      setIcon(shape.firstChild, tone);
      setText(words, text);
    },
  };
}

function soundPart() {
  const volume = h("input", { type: "range", min: 0, max: 100, step: 5, class: "alarm-volume", "aria-label": t("settings.volume") });
  volume.addEventListener("change", () => chooseAlarm({ volume: Number(volume.value) / 100 }));
  let tried = false;
  const part = switchPart("sound", {
    extra: [h("label", { class: "alarm-volume-label" }, h("span", { class: "muted" }, t("settings.volume")), volume)],
    async toggle(on) {
      chooseAlarm({ sound: on });
      if (on) await allowSound();
      draw();
    },
    async test() {
      await allowSound();
      tried = true;
      playAlarm(Number(volume.value) / 100);
      draw();
    },
  });
  function draw() {
    const { sound, volume: loud } = alarmChoice();
    volume.value = String(Math.round(loud * 100));
    const asked = sound || tried; // a browser's word is only worth telling who wants sound; asking it may log a warning
    const state = asked ? soundState() : "running";
    if (state === "missing") part.draw(sound, "warning", t("settings.sound.missing"));
    else if (state === "blocked") part.draw(sound, "warning", t("settings.sound.blocked"));
    else part.draw(sound, "ok", sound ? t("settings.sound.on") : "");
  }
  return { node: part.node, draw };
}

function desktopPart() {
  let shown = true; // whether the last test could be shown
  const part = switchPart("notify", {
    async toggle(on) {
      if (on) await askPermission();
      chooseAlarm({ notify: on && permission() === "granted" });
      draw();
    },
    async test() {
      shown = (await askPermission()) !== "granted" || notify(t("alarm.test.title"), t("alarm.test.body"));
      draw();
    },
  });
  function draw() {
    const state = permission();
    const on = alarmChoice().notify;
    if (state === "missing") part.draw(false, "warning", t(window.isSecureContext ? "settings.notify.missing" : "settings.notify.insecure"));
    else if (state === "denied") part.draw(false, "warning", t("settings.notify.denied"));
    else if (!shown) part.draw(on, "warning", t("settings.notify.missing"));
    else if (state === "granted") part.draw(on, "ok", on ? t("settings.notify.on") : "");
    else part.draw(false, "info", t("settings.notify.ask"));
  }
  return { node: part.node, draw };
}

// ---------------------------------------------------------------- which flags

function choiceList(title, items) {
  const lines = items.map(({ name, on, change }) => {
    const box = h("input", { type: "checkbox", checked: on });
    box.addEventListener("change", () => change(box.checked));
    return h("li", {}, h("label", { class: "alarm-choice" }, box, name));
  });
  return h("fieldset", { class: "alarm-choices" }, h("legend", {}, title), h("ul", { class: "alarm-choice-list" }, lines));
}

const toggled = (names, name, on) => (on ? [...new Set([...names, name])] : names.filter((one) => one !== name));

function severityPart() {
  const items = ALARM_SEVERITIES.map((severity) => ({
    name: h("span", { class: "alarm-severity", data: { tone: severity } }, icon(severity), " ", t(`severity.${severity}`)),
    on: alarmChoice().severities.includes(severity),
    change: (on) => chooseAlarm({ severities: toggled(alarmChoice().severities, severity, on) }),
  }));
  return choiceList(t("settings.alarms.severities"), items);
}

/** Sites and rules are kept as those that stay quiet, so that a new one is not missed. */
function quietItems(names, key, nameOf) {
  return names.map((name) => ({
    name: h("span", {}, nameOf(name)),
    on: !alarmChoice()[key].includes(name),
    change: (on) => chooseAlarm({ [key]: toggled(alarmChoice()[key], name, !on) }),
  }));
}

function sitePart(board) {
  const names = board.sites().map(({ site }) => site);
  if (names.length < 2) return null;
  return choiceList(t("settings.alarms.sites"), quietItems(names, "quiet_sites", (site) => board.siteLabel(site)));
}

function rulePart() {
  const names = [...new Set([...(rules ?? []), ...alarmChoice().quiet_rules])];
  if (!names.length) return null;
  return choiceList(t("settings.alarms.rules"), quietItems(names, "quiet_rules", (rule) => rule.replaceAll("_", " ")));
}

async function loadRules() {
  try {
    rules = (await api.get("/api/v1/rules")).rules.map(({ name }) => name);
  } catch {
    rules = null; // then the page has no list of them, and all rules call; asked again when it opens next
  }
}
