// When a figure is worth a look and when it is bad: for all queues, for one queue, and for the time in a state.

import { fill, h, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { t } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { prefs } from "/static/shared/prefs.js";
import { AGENT_STATES, QUEUE_FIGURES, thresholds } from "../thresholds.js";
import { keyOf } from "../store.js";

const ALL = "*";
const UNITS = {
  longest_wait_s: { word: "settings.unit.s", factor: 1, least: 0, most: 86_400 },
  waiting: { word: "settings.unit.callers", factor: 1, least: 0, most: 10_000 },
  service_level: { word: "settings.unit.percent", factor: 100, least: 0, most: 100, lessIsWorse: true },
};
const SECONDS = UNITS.longest_wait_s;

let chosen = ALL; // which queue's limits are shown; stays for the next time the dialog opens

/** The page: {nodes}. */
export function limitsPage(board, dialog) {
  const reset = h("button", { class: "button", type: "button" }, t("settings.reset"));
  reset.addEventListener("click", () => {
    thresholds.reset();
    dialog.draw();
    dialog.body.querySelector("select, input")?.focus();
  });
  const refresh = () => {
    reset.disabled = Object.keys(prefs.get("thresholds", {})).length === 0;
  };
  refresh();
  return {
    nodes: [
      h("p", { class: "settings-lead" }, t("settings.limits.lead")),
      queueSection(board, refresh),
      agentSection(refresh),
      h("div", { class: "settings-foot" }, reset),
    ],
  };
}

function heading(word) {
  return h("thead", {}, h("tr", {}, h("th", { scope: "col" }, word), ["warning", "critical"].map(severityHead), h("td", {})));
}

function severityHead(severity) {
  return h("th", { scope: "col", class: "limit-head", data: { tone: severity } }, icon(severity), " ", t(`severity.${severity}`));
}

// ---------------------------------------------------------------- queues

function queueSection(board, refresh) {
  const queues = [...board.store.queues.values()];
  if (chosen !== ALL && !queues.some((queue) => keyOf("queue", queue) === chosen)) chosen = ALL;
  const body = h("tbody");
  const drawRows = () => fill(body, QUEUE_FIGURES.map((figure) => queueRow(figure, queues, refresh)));
  const choice = h("select", { class: "select", "aria-label": t("settings.of_queue") });
  const name = (queue) => [queue.label || queue.queue, board.manySites() && board.siteLabel(queue.site)].filter(Boolean).join(" · ");
  choice.append(h("option", { value: ALL }, t("settings.all_queues")));
  for (const queue of queues) choice.append(h("option", { value: keyOf("queue", queue) }, name(queue)));
  choice.value = chosen;
  choice.addEventListener("change", () => {
    chosen = choice.value;
    drawRows();
  });
  drawRows();
  return h(
    "section",
    { class: "settings-section" },
    h("div", { class: "settings-section-head" }, h("h3", {}, t("settings.queues")), choice),
    h("table", { class: "limits" }, heading(t("settings.figure")), body),
    h("p", { class: "muted settings-note" }, t("settings.queues.note")),
  );
}

function queueRow(figure, queues, refresh) {
  const own = prefs.get("thresholds", {})?.queues?.[chosen]?.[figure] ?? null;
  const queue = queues.find((one) => keyOf("queue", one) === chosen);
  const inherited = queue && (prefs.get("thresholds", {})?.queues?.[ALL]?.[figure] ?? thresholds.defaults.of(queue)[figure]);
  return limitRow({
    name: h("span", {}, t(`settings.figure.${figure}`)),
    label: t(`settings.figure.${figure}`),
    unit: UNITS[figure],
    own,
    usual: inherited ?? commonDefault(figure, queues),
    keep: (limits) => {
      thresholds.setQueue(chosen, figure, limits);
      refresh();
    },
  });
}

/** What holds for all queues while nobody chose; null where it follows from each queue's own target. */
function commonDefault(figure, queues) {
  const all = queues.map((queue) => thresholds.defaults.of(queue)[figure]);
  const same = all.length > 0 && all.every(({ warn, crit }) => warn === all[0].warn && crit === all[0].crit);
  return same ? all[0] : null;
}

// ---------------------------------------------------------------- agents

function agentSection(refresh) {
  const rows = AGENT_STATES.map((state) => agentRow(state, refresh));
  return h(
    "section",
    { class: "settings-section" },
    h("div", { class: "settings-section-head" }, h("h3", {}, t("settings.agents"))),
    h("table", { class: "limits" }, heading(t("settings.state")), h("tbody", {}, rows)),
  );
}

function agentRow(state, refresh) {
  return limitRow({
    name: h("span", { class: "limit-state", data: { state } }, icon(state), " ", t(`state.${state}`)),
    label: t(`state.${state}`),
    unit: SECONDS,
    own: prefs.get("thresholds", {})?.agents?.[state] ?? null,
    usual: thresholds.defaults.agent(state),
    keep: (limits) => {
      thresholds.setAgent(state, limits);
      refresh();
    },
  });
}

// ---------------------------------------------------------------- one row

/** A row of two numbers; `own` limits or null, `usual` ones as the hint of what holds without. `keep(limits or null)`. */
function limitRow({ name, label, unit, own, usual, keep }) {
  const trouble = h("p", { class: "limit-trouble", role: "alert", hidden: true });
  const inputs = { warn: limitInput("warn", label, unit, usual), crit: limitInput("crit", label, unit, usual) };
  const back = h("button", { class: "button quiet icon-only", type: "button" }, icon("close"));
  for (const attribute of ["title", "aria-label"]) setAttr(back, attribute, t("settings.usual", { name: label }));

  function write(limits) {
    for (const [which, node] of Object.entries(inputs)) node.value = limits ? String(round(limits[which] * unit.factor)) : "";
    judge(limits, "");
  }

  function judge(limits, wrong) {
    setHidden(back, !limits);
    setText(trouble, wrong ? t(wrong) : "");
    setHidden(trouble, !wrong);
    for (const node of Object.values(inputs)) setAttr(node, "aria-invalid", wrong ? "true" : null);
  }

  function take() {
    const [warn, crit] = [read(inputs.warn, unit), read(inputs.crit, unit)];
    const none = warn === null && crit === null;
    const limits = none ? null : { warn: warn ?? usual?.warn ?? null, crit: crit ?? usual?.crit ?? null };
    const wrong = limits && problem(limits, unit);
    if (!wrong) keep(limits);
    judge(limits, wrong); // the other field stays as it is: somebody may be about to write into it
  }

  for (const node of Object.values(inputs)) node.addEventListener("change", take);
  back.addEventListener("click", () => {
    keep(null);
    write(null);
    inputs.warn.focus();
  });
  write(own);
  const cell = (node) => h("td", {}, h("span", { class: "limit" }, node, h("span", { class: "muted" }, t(unit.word))));
  return h("tr", {}, h("th", { scope: "row" }, name, trouble), cell(inputs.warn), cell(inputs.crit), h("td", { class: "limit-back" }, back));
}

function limitInput(which, label, unit, usual) {
  return h("input", {
    class: "input limit-input",
    type: "number",
    inputmode: "decimal",
    min: unit.least,
    max: unit.most,
    step: "any",
    placeholder: usual ? String(round(usual[which] * unit.factor)) : t("settings.by_target"),
    "aria-label": `${label}: ${t(which === "warn" ? "severity.warning" : "severity.critical")} (${t(unit.word)})`,
  });
}

/** The number that was written, in the figure's own unit; null for none, NaN for what is no number. */
function read(node, { factor }) {
  if (node.validity.badInput) return NaN;
  return node.value.trim() === "" ? null : Number(node.value) / factor;
}

/** What is wrong with `limits`, as a word's key; "" when nothing is. */
function problem({ warn, crit }, { least, most, factor, lessIsWorse = false }) {
  if (warn === null || crit === null) return "settings.trouble.both";
  const within = (value) => Number.isFinite(value) && value * factor >= least && value * factor <= most;
  if (!within(warn) || !within(crit)) return "settings.trouble.range";
  if (lessIsWorse) return crit < warn ? "" : "settings.trouble.below";
  return crit > warn ? "" : "settings.trouble.above";
}

function round(value) {
  return Math.round(value * 10) / 10;
}
