// Which of the known incidents the view shows, in which order, and how many each filter would leave. The service judges the same
// way (its list has the same filters); here it costs no question, so that thousands are narrowed as one types.

import { SEVERITIES, VIEWS } from "./view.js";

const TESTS = {
  state: (view, { states }) => (one) => (states.length ? states : VIEWS[view]).includes(one.state),
  severity: (_, { severities }) => severities.length > 0 && ((one) => severities.includes(one.severity)),
  site: (_, { site }) => site !== "" && ((one) => one.site === site),
  rule: (_, { rule }) => rule !== "" && ((one) => one.rule === rule),
  owner: (_, { owner, me }) => owner !== "" && ((one) => (owner === "nobody" ? one.owner === "" : one.owner === me && me !== "")),
  held: (_, { held }) => held !== "" && ((one) => (held === "yes") === Boolean(one.held)),
  q: (_, { text }) => text.trim() !== "" && saying(text.trim().toLowerCase()),
};

/** Each word in summary, subject, rule, site, owner or labels, or as the number. */
function saying(text) {
  const tests = text.split(/\s+/).map((word) => {
    const number = /^#?(\d+)$/.exec(word)?.[1];
    return (one) => String(one.id) === number || wordsOf(one).includes(word);
  });
  return (one) => tests.every((test) => test(one));
}

function wordsOf(one) {
  one.words ??= [one.summary.en, one.summary.zh, one.subject_id, one.rule, one.rule.replaceAll("_", " "), one.site, one.site_label ?? "", one.owner, ...Object.values(one.labels)]
    .join("\n")
    .toLowerCase();
  return one.words;
}

/** {rows, counts}: `counts[filter][value]` is how many the other filters leave with that value. `me`: who looks. */
export function narrow(incidents, view, me) {
  const asked = { ...view, me };
  const names = Object.keys(TESTS);
  const tests = names.map((name) => TESTS[name](view.view, asked) || null);
  const counts = { state: {}, severity: {}, site: {}, rule: {}, owner: { mine: 0, nobody: 0 }, held: { yes: 0, no: 0 } };
  const rows = [];
  for (const one of incidents) {
    let failed = -1;
    let failures = 0;
    for (let at = 0; at < tests.length && failures < 2; at += 1) {
      if (tests[at] === null || tests[at](one)) continue;
      failed = at;
      failures += 1;
    }
    if (failures === 0) rows.push(one);
    if (failures < 2 && VIEWS[view.view].includes(one.state)) count(counts, one, failures ? names[failed] : null, me);
  }
  return { rows, counts };
}

/** Count `one`, which fits every filter but `except` (null: all). */
function count(counts, one, except, me) {
  const add = (name, value) => {
    if (except === null || except === name) counts[name][value] = (counts[name][value] ?? 0) + 1;
  };
  add("state", one.state);
  add("severity", one.severity);
  add("site", one.site);
  add("rule", one.rule);
  if (one.owner === "") add("owner", "nobody");
  else if (one.owner === me) add("owner", "mine");
  add("held", one.held ? "yes" : "no");
}

/** The worst and oldest first where somebody has to act, else the newest. */
export function ordered(rows, view) {
  if (view !== "unresolved") return rows.sort((a, b) => b.id - a.id);
  return rows.sort((a, b) => a.urgency - b.urgency || a.id - b.id);
}

/** [{key, name, rows}], the worst group first; one without a name where nothing is grouped. */
export function grouped(rows, by) {
  if (by === "none") return [{ key: "all", name: "", rows }];
  const groups = new Map();
  for (const one of rows) {
    const name = one[by];
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(one);
  }
  const names = by === "severity" ? SEVERITIES.filter((name) => groups.has(name)) : [...groups.keys()];
  return names.map((name) => ({ key: `group ${name}`, name, rows: groups.get(name) }));
}
