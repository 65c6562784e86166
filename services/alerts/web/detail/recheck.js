// The day has a date on which somebody looks again whether the resolution holds; what they found is said here.

import { fill, h, setHidden, setText } from "/static/shared/dom.js";
import { clock } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { mayAct } from "../actor.js";
import { act, refusalText } from "./asking.js";
import { drafted, sent } from "./drafts.js";
import { field, problem } from "./parts.js";

export function recheckPart(number, { by, onDone }) {
  const words = h("p");
  const note = drafted(number, "recheck_note", h("textarea", { class: "input", rows: 2, maxlength: 4000, placeholder: t("recheck.note.hint") }));
  const said = h("div");
  const holds = h("button", { class: "button primary", type: "button", data: { outcome: "ok" }, text: t("recheck.ok"), on: { click: () => run(true) } });
  const returned = h("button", { class: "button", type: "button", data: { outcome: "not_ok" }, text: t("recheck.not_ok"), on: { click: () => run(false) } });
  const form = h("div", { class: "stack" }, field("recheck.note", note), said, h("div", { class: "row" }, holds, returned));
  const node = h("section", { class: "part part-recheck", "aria-label": t("recheck.title"), hidden: true }, h("h3", { tabindex: "-1", text: t("recheck.title") }), h("div", { class: "stack part-body" }, words, form));

  async function run(ok) {
    const name = by();
    if (!name) return;
    if (!ok && !note.value.trim()) {
      fill(said, problem(t("recheck.note.missing")));
      note.focus();
      return;
    }
    fill(said);
    for (const button of [holds, returned]) button.disabled = true;
    try {
      await act(number, "recheck", { by: name, ok, note: note.value.trim() });
      sent(number, { recheck_note: note });
    } catch (error) {
      fill(said, problem(refusalText(error, clock)));
    } finally {
      for (const button of [holds, returned]) button.disabled = false;
      onDone();
    }
  }

  function show({ incident }) {
    const waits = incident.allowed.includes("recheck");
    setHidden(node, !waits);
    if (!waits) return;
    setText(words, t(incident.recheck_due ? "recheck.due" : "recheck.planned", { date: incident.recheck_on }));
    setHidden(form, !mayAct());
  }

  return { name: "recheck", title: "recheck.title", node, show };
}
