// How many of each agent's calls were heard on a day, and how much of them.

import { api } from "/static/shared/api.js";
import { fill, h, openDrawer, setHidden, setText } from "/static/shared/dom.js";
import { duration, number, percent } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { refusalText } from "./words.js";

const EVERY_MS = 15_000;
const COLUMNS = ["agent", "calls", "heard", "share", "talk", "heard_s"];

/** Open the drawer for the sites that are shown; `onlyNew`: of new agents at first. */
export function openCoverage(board, { onlyNew }) {
  const sites = board.shownSites().map(({ site }) => site);
  const day = h("input", { class: "input", type: "date", "aria-label": t("listen.coverage.day") });
  const site = h("select", { class: "select", "aria-label": t("site.choose"), hidden: sites.length < 2 }, sites.map((name) => h("option", { value: name }, board.siteLabel(name))));
  const outbound = h("input", { type: "checkbox", checked: true });
  const fresh = h("input", { type: "checkbox", checked: onlyNew });
  const say = h("p", { class: "muted", role: "status" });
  const body = h("tbody");
  const heads = COLUMNS.map((name, index) => h("th", { class: index ? "num" : "", scope: "col" }, t(`listen.coverage.${name}`)));
  const table = h("div", { class: "table-scroll" }, h("table", { class: "coverage" }, h("thead", {}, h("tr", {}, heads)), body));
  const controls = h("div", { class: "row" }, site, day, h("label", { class: "coverage-choice" }, outbound, t("listen.coverage.outbound")), h("label", { class: "coverage-choice" }, fresh, t("listen.coverage.new")));
  let timer = null;
  let turn = 0;

  async function ask() {
    clearTimeout(timer);
    setHidden(table, sites.length === 0);
    if (!sites.length) return void setText(say, t("listen.coverage.none")); // no switch was heard of yet
    const mine = (turn += 1);
    try {
      const found = await api.get("/api/v1/coverage", { site: site.value || sites[0], day: day.value, direction: outbound.checked ? "outbound" : "" });
      if (mine === turn) draw(found);
    } catch (error) {
      if (error.name !== "ApiError") throw error;
      if (mine === turn) setText(say, refusalText(error));
    }
    if (mine === turn) timer = setTimeout(ask, EVERY_MS);
  }

  function draw(found) {
    if (!day.value) day.value = found.day;
    const agents = found.agents.filter((agent) => !fresh.checked || agent.new_agent);
    const [calls, heard] = ["calls", "heard"].map((name) => agents.reduce((sum, agent) => sum + agent[name], 0));
    setText(say, agents.length ? t("listen.coverage.sum", { calls: number(calls), heard: number(heard), share: percent(calls ? heard / calls : null) }) : t("listen.coverage.none"));
    setHidden(table, agents.length === 0);
    fill(body, agents.map(rowOf));
  }

  for (const control of [day, site, outbound, fresh]) control.addEventListener("change", ask);
  openDrawer({
    title: t("listen.coverage.title"),
    closeLabel: t("action.close"),
    body: [controls, say, table, h("p", { class: "muted coverage-what", text: t("listen.coverage.what") })],
    onClose: () => {
      turn += 1;
      clearTimeout(timer);
    },
  }).dialog.classList.add("coverage-drawer");
  ask();
}

function rowOf(agent) {
  const name = h("span", { class: "coverage-name" }, agent.name || agent.agent_id, agent.new_agent ? h("span", { class: "badge", data: { tone: "info" }, text: t("listen.new") }) : null);
  const missing = agent.calls - agent.heard;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, name, h("span", { class: "muted coverage-team", text: agent.team })),
    h("td", { class: "num" }, number(agent.calls)),
    h("td", { class: "num", title: missing ? t("listen.coverage.missing", { n: missing }) : null }, number(agent.heard)),
    h("td", { class: "num" }, h("strong", {}, percent(agent.calls_share))),
    h("td", { class: "num" }, duration(agent.talk_s)),
    h("td", { class: "num" }, duration(agent.heard_s)),
  );
}
