// What is still to do: actions with an owner and a day, done or overdue. Rows stay where they are while they are edited.

import { fill, h, keyed, setAttr, setData, setHidden, setText } from "/static/shared/dom.js";
import { dateTime } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { actorName, mayAct } from "../actor.js";
import { addAction, changeAction, refusalText } from "./asking.js";
import { drafted, sent } from "./drafts.js";
import { badge, field, problem } from "./parts.js";

/** `by()`: in whose name, "" after saying that it is missing. */
export function tasksPart(number, { by, onDone }) {
  const count = h("span", { class: "part-count" });
  const list = h("ul", { class: "tasks" });
  const none = h("p", { class: "muted", text: t("tasks.none") });
  const said = h("div");
  const add = h("button", { class: "button", type: "button", data: { action: "add-task" }, text: t("tasks.add"), on: { click: () => openForm(true) } });
  const form = taskForm(addOne, () => openForm(false), number);
  setHidden(form.node, true);
  const node = h("section", { class: "part part-tasks", "aria-label": t("detail.tasks"), hidden: true }, h("h3", { tabindex: "-1" }, h("span", { text: t("detail.tasks") }), count), h("div", { class: "stack part-body" }, none, list, said, form.node, add));
  let zone;

  function openForm(open = true) {
    setHidden(form.node, !open);
    setHidden(add, open || !mayAct());
    if (open) form.focus();
    else add.focus();
  }

  async function addOne(values) {
    const kept = await save(() => addAction(number, { by: by(), ...values }));
    if (kept) openForm(false);
    return kept;
  }

  async function save(ask) {
    if (!by()) return false;
    fill(said);
    try {
      await ask();
      return true;
    } catch (error) {
      fill(said, problem(refusalText(error, dateTime)));
      return false;
    } finally {
      onDone();
    }
  }

  function show({ actions, time_zone }) {
    setHidden(node, actions === undefined);
    if (actions === undefined) return;
    zone = time_zone;
    const open = actions.filter((one) => !one.done_at);
    const ordered = [...open.sort((a, b) => (a.due_on ?? "9") < (b.due_on ?? "9") ? -1 : 1), ...actions.filter((one) => one.done_at)];
    setText(count, actions.length ? `${open.length}/${actions.length}` : "");
    setHidden(none, actions.length > 0);
    setHidden(add, !mayAct() || !form.node.hidden);
    keyed(list, ordered, (one) => one.id, createRow, updateRow);
  }

  function createRow() {
    return h("li", { class: "task" });
  }

  function updateRow(row, one) {
    row.task = one;
    const wanted = JSON.stringify([one, language(), mayAct()]);
    if (row.shown === wanted || row.editing) return; // an edit that is open stays; what is saved then is shown
    row.shown = wanted;
    setData(row, "done", one.done_at ? "yes" : "");
    setData(row, "overdue", one.overdue ? "yes" : "");
    const done = h("input", { type: "checkbox", checked: Boolean(one.done_at), disabled: !mayAct(), "aria-label": t("tasks.done", { text: one.text }) });
    done.addEventListener("change", async () => {
      const wants = done.checked;
      if (!(await save(() => changeAction(number, one.id, { by: by(), done: wants })))) done.checked = !wants;
    });
    fill(
      row,
      done,
      h("div", { class: "task-what" }, h("span", { class: "task-text", text: one.text }), h("div", { class: "muted small" }, meta(one))),
      mayAct() && !one.done_at && h("button", { class: "button quiet", type: "button", text: t("tasks.edit"), "aria-label": t("tasks.edit.of", { text: one.text }), on: { click: () => edit(row) } }),
    );
  }

  function meta(one) {
    if (one.done_at) return t("tasks.done.by", { who: one.done_by, time: dateTime(one.done_at, zone) });
    return [h("span", { text: one.owner }), one.due_on && [" · ", h("span", { text: t("action.due", { date: one.due_on }) })], one.overdue && [" ", badge("critical", t("tasks.overdue"))]];
  }

  function edit(row) {
    const before = row.task;
    row.editing = true;
    const end = () => {
      row.editing = false;
      row.shown = "";
      updateRow(row, row.task);
      row.querySelector("button")?.focus();
    };
    const editor = taskForm(async (values) => {
      const changed = Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== (before[name] ?? null)));
      if (!Object.keys(changed).length || (await save(() => changeAction(number, before.id, { by: by(), ...changed })))) end();
    }, end);
    editor.set(before);
    fill(row, editor.node);
    editor.focus();
  }

  return { name: "tasks", title: "detail.tasks", node, show, openForm };
}

/** Words, owner and day; `number` given: what is typed is kept as the incident's draft. */
function taskForm(onSave, onCancel, number = null) {
  const keep = (name, input) => (number === null ? input : drafted(number, `task_${name}`, input));
  const text = keep("text", h("input", { class: "input", maxlength: 500, autocomplete: "off", placeholder: t("tasks.text.hint") }));
  const owner = keep("owner", h("input", { class: "input", maxlength: 80, autocomplete: "off" }));
  const due = keep("due_on", h("input", { class: "input", type: "date", max: "9999-12-31" }));
  const said = h("div");
  const save = h("button", { class: "button primary", type: "submit", text: t("tasks.save") });
  const node = h(
    "form",
    { class: "task-form", "aria-label": t("tasks.form") },
    field("tasks.text", text),
    h("div", { class: "task-two" }, field("tasks.owner", owner), field("tasks.due", due)),
    said,
    h("div", { class: "row" }, save, h("button", { class: "button quiet", type: "button", text: t("act.cancel"), on: { click: onCancel } })),
  );
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = !text.value.trim() ? [text, "tasks.text.missing"] : !owner.value.trim() ? [owner, "tasks.owner.missing"] : due.validity.badInput ? [due, "act.recheck.half"] : null;
    for (const input of [text, owner, due]) setAttr(input, "aria-invalid", wrong?.[0] === input ? "true" : null);
    fill(said, wrong && problem(t(wrong[1])));
    if (wrong) return wrong[0].focus();
    save.disabled = true;
    const kept = await onSave({ text: text.value.trim(), owner: owner.value.trim(), due_on: due.value || null });
    save.disabled = false;
    if (kept && number !== null) sent(number, { task_text: text, task_owner: owner, task_due_on: due });
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    onCancel();
  });
  return {
    node,
    set(one) {
      text.value = one.text;
      owner.value = one.owner;
      due.value = one.due_on ?? "";
    },
    focus() {
      if (!owner.value) owner.value = actorName();
      text.focus();
    },
  };
}
