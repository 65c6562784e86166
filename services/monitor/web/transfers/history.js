// What became of a case, step by step.

import { fill, h, setHidden } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";

const FIELDS = ["status", "reason", "note", "follow_up", "follow_up_on"];

export function drawHistory(node, found, reasons) {
  const steps = found?.history ?? [];
  setHidden(node, steps.length === 0);
  const label = (field, value) => {
    if (value === null || value === undefined || value === "") return t("desk.conflict.empty");
    if (field === "status") return t(`desk.case.${value}`);
    const known = field === "reason" && reasons.find(({ code }) => code === value);
    return known ? (language() === "zh-CN" ? known.label_zh : known.label_en) : String(value);
  };
  fill(
    node,
    h("h3", { text: t("desk.history") }),
    h("ol", { class: "history-steps" }, [...steps].reverse().map((step) => h("li", {}, h("p", { class: "muted", text: t("desk.history.step", { time: dateTime(step.at), by: step.by_name || step.by }) }), changesOf(step, label)))),
  );
}

function changesOf({ changes }, label) {
  const told = FIELDS.filter((field) => field in changes && (changes[field][0] ?? "") !== (changes[field][1] ?? ""));
  const line = (field) => {
    const [before, after] = changes[field];
    const values = { field: t(`desk.case.${field}`), before: label(field, before), after: label(field, after) };
    return h("p", { text: t(before === null ? "desk.history.first" : "desk.history.change", values) });
  };
  return told.length ? told.map(line) : [h("p", { text: t("desk.history.nothing") })];
}
