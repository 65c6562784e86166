// What one can do about an incident. Built once and kept while the rest is drawn anew, so nothing that is being typed is lost; what
// is not sent yet outlives the drawer (drafts.js).

import { fill, h, setAttr, setData, setHidden } from "/static/shared/dom.js";
import { clock } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { actorKnown, actorName, mayAct, rememberName, signedIn } from "../actor.js";
import { act, refusalText } from "./asking.js";
import { drafted, sent } from "./drafts.js";
import { silenceLink } from "./links.js";
import { field, problem } from "./parts.js";

// What each asks for: [name of the field, whether it must be filled]. What asks for nothing is done at once.
const ASKS = {
  acknowledge: [],
  assign: [["to", true], ["note", false]],
  resolve: [["cause", false], ["note", false], ["recheck_on", false]],
  reopen: [["note", false]],
  notes: [["note", true]],
};
const ORDER = ["acknowledge", "resolve", "assign", "reopen"];

/** `onDone()` after each change, and after a refusal, which says that the incident is another one than is shown. */
export function handlePart(number, { onDone }) {
  const name = h("input", { class: "input", name: "by", autocomplete: "name", maxlength: 80, value: actorName() });
  const inputs = {
    to: drafted(number, "to", h("input", { class: "input", name: "to", maxlength: 80, autocomplete: "off" })),
    cause: drafted(number, "cause", h("input", { class: "input", name: "cause", maxlength: 4000 })),
    recheck_on: drafted(number, "recheck_on", h("input", { class: "input", name: "recheck_on", type: "date", max: "9999-12-31" })),
    note: drafted(number, "note", h("textarea", { class: "input", name: "note", maxlength: 4000, rows: 2, placeholder: t("act.note.hint") })),
  };
  const fields = {
    to: field("act.to", inputs.to),
    cause: field("act.cause", inputs.cause),
    recheck_on: field("act.recheck", inputs.recheck_on),
    note: field("act.note", inputs.note),
  };
  const named = field("act.name", name);
  const said = h("div", { class: "act-said" });
  const panel = h("div", { class: "act-fields", hidden: true }, fields.to, fields.cause, fields.recheck_on, fields.note);
  const buttons = h("div", { class: "row act-buttons" });
  const node = h("form", { class: "act stack", hidden: true, "aria-label": t("act.label") }, said, panel, h("div", { class: "act-line" }, named, buttons));
  let allowed = [];
  let opened = "";
  let busy = false;

  actorKnown.then(() => {
    if (!mayAct()) node.remove();
    if (signedIn()) name.value = actorName();
    setHidden(named, signedIn());
    draw();
  });
  node.addEventListener("submit", (event) => event.preventDefault());
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opened) {
      event.preventDefault();
      event.stopPropagation();
      open("");
    }
    const inField = event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey; // Enter in a text is a new line
    if (event.key === "Enter" && opened && inField) {
      event.preventDefault();
      run(opened);
    }
  });
  for (const input of [name, ...Object.values(inputs)]) input.addEventListener("input", () => wrong(null));

  /** Show the fields of `action`, or none. */
  function open(action) {
    opened = action;
    setHidden(panel, !action);
    const asked = new Map(ASKS[action] ?? []);
    for (const [key, one] of Object.entries(fields)) {
      setHidden(one, !asked.has(key));
      setAttr(inputs[key], "aria-required", asked.get(key) ? "true" : null);
    }
    setData(panel, "asks", action);
    fill(said);
    draw();
    if (action) (Object.keys(fields).map((key) => inputs[key]).find((input) => !input.closest("[hidden]")) ?? name).focus();
  }

  /** A click or a key: asks for what is missing first, then does it. */
  function choose(action) {
    if (busy || !mayAct() || !(allowed.includes(action) || action === "notes")) return;
    if (ASKS[action].length && opened !== action) open(action);
    else run(action);
  }

  function wrong(input, key) {
    for (const one of [name, ...Object.values(inputs)]) setAttr(one, "aria-invalid", one === input ? "true" : null);
    fill(said, key && problem(t(key)));
    input?.focus();
  }

  async function run(action) {
    const who = by();
    if (!who) return;
    for (const [key, needed] of ASKS[action]) if (needed && !inputs[key].value.trim()) return wrong(inputs[key], `act.${key}.missing`);
    if (inputs.recheck_on.validity.badInput && action === "resolve") return wrong(inputs.recheck_on, "act.recheck.half");
    const asked = ASKS[action].map(([key]) => key);
    const body = { by: who, ...Object.fromEntries(asked.map((key) => [key, inputs[key].value.trim()])) };
    if ("recheck_on" in body) body.recheck_on ||= null;
    busy = true;
    draw();
    try {
      await act(number, action, body);
      sent(number, Object.fromEntries(asked.map((key) => [key, inputs[key]])));
      open("");
    } catch (error) {
      fill(said, problem(refusalText(error, (at) => clock(at))));
    } finally {
      busy = false;
      draw();
      onDone();
    }
  }

  function show({ incident }) {
    setHidden(node, false);
    if (allowed.join() === incident.allowed.join()) return;
    allowed = incident.allowed;
    if (opened && opened !== "notes" && !allowed.includes(opened)) {
      fill(said, problem(t("act.gone"))); // what was typed stays, as a draft
      opened = "";
      setHidden(panel, true);
    }
    draw();
  }

  function draw() {
    const actions = [...ORDER.filter((action) => allowed.includes(action)), "notes"];
    const first = opened || actions[0];
    const focused = buttons.contains(document.activeElement) ? document.activeElement.dataset.action : "";
    fill(
      buttons,
      actions.map((action) =>
        h("button", {
          class: action === first ? "button primary" : "button",
          type: "button",
          data: { action },
          "aria-disabled": busy ? "true" : null,
          "aria-expanded": ASKS[action].length ? String(opened === action) : null,
          text: t(ASKS[action].length && opened !== action ? `act.${action}.more` : `act.${action}`),
          on: { click: () => choose(action) },
        }),
      ),
      opened && h("button", { class: "button quiet", type: "button", text: t("act.cancel"), on: { click: () => open("") } }),
      !opened && allowed.length > 0 && !allowed.includes("reopen") && h("a", { class: "button quiet act-silence", href: silenceLink(number), text: t("act.silence") }),
    );
    if (focused) buttons.querySelector(`[data-action="${focused}"]`)?.focus();
  }

  /** In whose name; "" after asking for it. */
  function by() {
    const found = name.value.trim();
    if (!found) wrong(name, "act.name.missing");
    else rememberName(found);
    return found;
  }

  return { node, show, choose, by, focus: () => (named.hidden ? buttons.querySelector("button") : name)?.focus() };
}
