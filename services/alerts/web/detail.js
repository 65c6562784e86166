// The drawer of one incident: what happened, the evidence, who did what, and what one can do now.

import { fill, h, openDrawer } from "/static/shared/dom.js";
import { dateTime, duration, seconds } from "/static/shared/format.js";
import { language, t } from "/static/shared/i18n.js";
import { actorKnown, actorName, mayAct, rememberName, signedIn } from "./actor.js";
import { act, getIncident } from "./api.js";
import { transferView } from "./transfer.js";
import { MARKS, evidenceRows, markBadge, personOf, ruleName, severityBadge, stateBadge, summaryOf } from "./words.js";

const SHOWN_WITH_TRANSFER =
  /^(requested|ringing|answered|bridged|released|ended|seek|ring|brief|customer_gap|total)(_at|_s)?$|^(kind|outcome|slow|from_agent|to_agent|to_queue)$/;
const SENT_TONES = { sent: "ok", failed: "critical", waiting: "info", withheld: "quiet", no_channel: "quiet" };

/** Open incident `number`; returns {number, refresh, close, askName}. `onClose` runs however it is closed. */
export function openDetail(number, { onClose }) {
  const shown = h("div", { class: "stack wide" }, h("p", { class: "muted", text: t("detail.loading") }));
  const form = actionForm(number, () => refresh());
  const drawer = openDrawer({
    title: t("detail.title", { n: number }),
    closeLabel: t("action.close"),
    body: [shown, form.node],
    onClose,
  });
  let version = -1;

  async function refresh() {
    try {
      const detail = await getIncident(number);
      if (detail.incident.version < version) return; // an older answer came late
      version = detail.incident.version;
      show(detail);
    } catch (error) {
      fill(shown, notice(error.message));
    }
  }

  function show(detail) {
    fill(shown, head(detail), facts(detail), evidence(detail), timeline(detail), notifications(detail));
    form.show(detail.incident);
  }

  refresh();
  return { number, refresh, close: drawer.close, askName: form.focus };
}

function notice(text) {
  return h("div", { class: "notice", data: { tone: "critical" }, role: "alert" }, h("div", {}, h("strong", { text: t("failed.title") }), h("p", { text })));
}

function head({ incident }) {
  const lang = language() === "zh-CN" ? "zh" : "en";
  return h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "row" },
      severityBadge(incident.severity),
      stateBadge(incident),
      ...MARKS.filter((mark) => incident[mark]).map(markBadge),
      h("a", {
        class: "button report",
        href: `/api/v1/incidents/${incident.id}/report?lang=${lang}`,
        target: "_blank",
        rel: "noopener",
        text: t("detail.report"),
      }),
    ),
    h("p", { class: "summary", text: summaryOf(incident) }),
  );
}

function facts({ incident, time_zone: zone }) {
  const labels = incident.labels;
  const rows = [
    ["detail.site", incident.site],
    ["detail.rule", ruleName(incident.rule)],
    ["detail.about", labels[`${incident.subject}_name`] || labels.agent_name || incident.subject_id],
    ["detail.started", dateTime(incident.started, zone)],
    ["detail.ended", incident.ended ? dateTime(incident.ended, zone) : t(`condition.${incident.condition}`)],
    ["detail.opened", dateTime(incident.opened_at, zone)],
    incident.acknowledged_at && ["detail.acknowledged", `${dateTime(incident.acknowledged_at, zone)}, ${incident.owner}`],
    incident.resolved_at && ["detail.resolved", `${dateTime(incident.resolved_at, zone)}, ${personOf(incident)}`],
    incident.cause && ["detail.cause", incident.cause === "quiet" ? t("detail.cause.quiet") : incident.cause],
    incident.recheck_on && ["detail.recheck", incident.recheck_on],
  ].filter(Boolean);
  return h(
    "div",
    { class: "stack" },
    h("dl", { class: "facts" }, rows.map(([key, value]) => [h("dt", { text: t(key) }), h("dd", { text: value })])),
    h("p", { class: "muted small", text: t("detail.zone", { zone }) }),
  );
}

/** The names of a transfer's parties by their ids, as the flag told them. */
function partiesOf({ labels, evidence: { from_agent: from, to_agent: agent, to_queue: queue, to_number: number } }) {
  return { [from]: labels.agent_name, [agent || queue || number]: labels.target };
}

function evidence({ flags, time_zone: zone }) {
  return section(
    "detail.evidence",
    flags.map((flag) => {
      const seen = { ...flag.evidence };
      for (const [key, value] of Object.entries(flag.cleared_evidence)) if (value !== null) seen[key] = value;
      const rows = evidenceRows(flag.transfer ? withoutTransfer(seen) : seen, zone);
      return h(
        "div",
        { class: "flag stack" },
        flags.length > 1 && h("h4", { text: `${dateTime(flag.raised, zone)} ${summaryOf(flag)}` }),
        flag.transfer && transferView(flag.transfer, zone, partiesOf(flag)),
        rows.length > 0 && table(rows),
      );
    }),
  );
}

function withoutTransfer(seen) {
  return Object.fromEntries(Object.entries(seen).filter(([key]) => !SHOWN_WITH_TRANSFER.test(key)));
}

function table(rows) {
  return h(
    "table",
    { class: "evidence" },
    h("tbody", {}, rows.map(([name, text]) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", { text })))),
  );
}

function timeline({ timeline: entries, time_zone: zone }) {
  return section(
    "detail.timeline",
    h(
      "ol",
      { class: "timeline" },
      entries.map((entry) =>
        h(
          "li",
          { data: { kind: entry.kind } },
          h("div", { class: "row spread" }, h("strong", { text: happened(entry) }), h("time", { datetime: entry.at, class: "muted", text: dateTime(entry.at, zone) })),
          entry.switch_time && h("div", { class: "muted small", text: t("entry.switch", { time: dateTime(entry.switch_time, zone) }) }),
          entry.by !== "floorwatch" && h("div", { class: "small", text: entry.by }),
          entry.data.cause && h("p", { class: "said", text: `${t("detail.cause")}: ${entry.data.cause}` }),
          entry.note && h("p", { class: "said", text: entry.note }),
        ),
      ),
    ),
  );
}

function happened(entry) {
  const held = entry.data.duration_s;
  const length = held === undefined ? "" : held < 60 ? seconds(held) : duration(held);
  return t(`entry.${entry.kind}`, { duration: length });
}

function notifications({ notifications: sent, time_zone: zone }) {
  return section(
    "detail.notifications",
    h(
      "ul",
      { class: "sent" },
      sent.map((one) =>
        h(
          "li",
          {},
          h("div", { class: "row" }, h("span", { class: "badge", data: { tone: SENT_TONES[one.state] }, text: t(`sent.${one.state}`) }), one.channel, h("span", { class: "muted", text: dateTime(one.finished_at ?? one.created_at, zone) })),
          one.attempts.length > 0 && h("div", { class: "muted small", text: `${t("sent.attempts", { n: one.attempts.length })}: ${one.answer}` }),
          one.state === "withheld" && h("div", { class: "muted small", text: one.answer }),
        ),
      ),
    ),
  );
}

function section(title, ...content) {
  return h("section", { class: "stack" }, h("h3", { text: t(title) }), content);
}

/** Name, note and the buttons that the incident's state allows. Kept while the rest is shown anew, so typing survives. */
function actionForm(number, onDone) {
  const name = h("input", { class: "input", name: "by", autocomplete: "name", maxlength: 80, value: actorName() });
  const note = h("input", { class: "input", name: "note", maxlength: 4000, placeholder: t("act.note.hint") });
  const cause = h("input", { class: "input", name: "cause", maxlength: 4000 });
  const recheck = h("input", { class: "input", name: "recheck_on", type: "date" });
  const resolving = h("div", { class: "act-fields", hidden: true }, field("act.cause", cause), field("act.recheck", recheck));
  const buttons = h("div", { class: "row" });
  const problem = h("div");
  const named = field("act.name", name);
  const fields = h("div", { class: "act-fields" }, named, field("act.note", note));
  const node = h("form", { class: "act stack", hidden: true }, problem, fields, resolving, buttons);
  let allowed = [];
  node.addEventListener("submit", (event) => event.preventDefault());
  actorKnown.then(() => {
    if (!mayAct()) node.remove();
    if (signedIn()) name.value = actorName();
    named.hidden = signedIn();
  });

  async function run(action) {
    if (action === "resolve" && resolving.hidden) {
      resolving.hidden = false; // a resolution without a cause is worth a second look, not a refusal
      showButtons();
      cause.focus();
      return;
    }
    fill(problem);
    const by = name.value.trim();
    if (!by) return refuse(name, "act.name.missing");
    if (action === "notes" && !note.value.trim()) return refuse(note, "act.note.missing");
    const body = { by, note: note.value.trim() };
    if (action === "resolve") Object.assign(body, { cause: cause.value.trim(), recheck_on: recheck.value || null });
    for (const button of buttons.children) button.disabled = true;
    try {
      await act(number, action, body);
      rememberName(by);
      note.value = cause.value = recheck.value = "";
      resolving.hidden = true;
    } catch (error) {
      fill(problem, notice(error.message));
    } finally {
      showButtons();
      onDone();
    }
  }

  function refuse(input, key) {
    fill(problem, notice(t(key)));
    input.focus();
  }

  function show(incident) {
    node.hidden = false;
    const same = allowed.join() === incident.allowed.join();
    allowed = incident.allowed;
    if (!allowed.includes("resolve")) resolving.hidden = true;
    if (!same) showButtons();
  }

  function showButtons() {
    const first = resolving.hidden ? allowed[0] : "resolve";
    fill(
      buttons,
      [...allowed, "notes"].map((action) =>
        h("button", {
          class: action === first ? "button primary" : "button",
          type: "button",
          data: { action },
          text: t(wordFor(action)),
          on: { click: () => run(action) },
        }),
      ),
    );
  }

  function wordFor(action) {
    if (action === "notes") return "act.add";
    return action === "resolve" && resolving.hidden ? "act.resolve.more" : `act.${action}`;
  }

  return { node, show, focus: () => name.focus() };
}

function field(key, input) {
  return h("label", { class: "field" }, h("span", { text: t(key) }), input);
}
