// One incident: what happened, the evidence, who did what, and what one can do now. Beside the list, or as a page of its own.

import { fill, h, setHidden } from "/static/shared/dom.js";
import { t, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { affectedPart } from "./affected.js";
import { getIncident, refusalText } from "./asking.js";
import { copyButton } from "./copying.js";
import { DetailDrawer } from "./drawer.js";
import { evidencePart } from "./evidence/evidence.js";
import { handlePart } from "./handle.js";
import { headPart } from "./head.js";
import { onDetailKey } from "./keys.js";
import { incidentLink, reportLink } from "./links.js";
import { notificationsPart } from "./notifications.js";
import { away } from "./parts.js";
import { recheckPart } from "./recheck.js";
import { relatedPart } from "./related.js";
import { learnSites } from "../sites.js";
import strings from "./strings.js";
import { tasksPart } from "./tasks.js";
import { timelinePart } from "./timeline.js";

export { DETAIL_KEYS } from "./keys.js";

useStrings(strings);

// In a drawer one below the other; as a page in two columns.
const ORDER = ["recheck", "evidence", "tasks", "timeline", "affected", "notifications", "related"];
const BESIDE = new Set(["recheck", "tasks", "affected", "notifications", "related"]);

let asPage = false; // the one that is closed in favour of another was a page
let linkedTo = Number(/^#incident=(\d+)/.exec(location.hash)?.[1] ?? NaN); // whoever comes by a link sees it as a page

/**
 * Open incident `number`; returns {number, refresh, close, askName}. `onClose` runs however it is closed; `full`: as a page, else as
 * it was followed: a link to it opens a page, the list a drawer.
 */
export function openDetail(number, { onClose, full = number === linkedTo || asPage }) {
  linkedTo = NaN;
  asPage = false;
  const by = () => handle.by();
  const handle = handlePart(number, { onDone: () => refresh() });
  const parts = {
    recheck: recheckPart(number, { by, onDone: () => refresh() }),
    evidence: evidencePart(),
    tasks: tasksPart(number, { by, onDone: () => refresh() }),
    timeline: timelinePart(),
    affected: affectedPart(),
    notifications: notificationsPart(),
    related: relatedPart(),
  };
  const head = headPart();
  const main = h("div", { class: "detail-main" });
  const side = h("div", { class: "detail-side" });
  const jumps = h("nav", { class: "detail-jumps", "aria-label": t("detail.parts") });
  const trouble = h("div", { class: "detail-trouble" });
  const loading = h("p", { class: "muted detail-loading", text: t("detail.loading") });
  const columns = h("div", { class: "detail-columns", hidden: true }, main, side);
  let version = -1;
  let asked = 0;
  const drawer = new DetailDrawer({
    onClose() {
      stopKeys();
      head.stop();
      onClose();
    },
    onMode: arrange,
  });
  const linkButton = copyButton("detail.copy", "detail.copy.hint", () => location.origin + incidentLink(number));
  const stopKeys = onDetailKey(drawer, { choose: handle.choose, task: () => parts.tasks.openForm(), copy: () => linkButton.copy(), grow: () => drawer.setFull(!drawer.full) });
  fill(drawer.body, trouble, loading, columns, handle.node);
  drawer.open(t("detail.title", { n: number }), full);
  drawer.setTools(linkButton, ...reports());

  function arrange(wide) {
    const inSide = (name) => wide && BESIDE.has(name);
    fill(main, head.node, jumps, ORDER.filter((name) => !inSide(name)).map((name) => parts[name].node));
    fill(side, ORDER.filter(inSide).map((name) => parts[name].node));
    setHidden(side, !wide);
  }

  async function refresh() {
    const mine = ++asked;
    try {
      const detail = await getIncident(number);
      if (mine < asked && detail.incident.version < version) return; // an older answer came late
      version = detail.incident.version;
      learnSites([detail.incident]);
      show(detail);
    } catch (error) {
      fill(trouble, h("div", { class: "notice", data: { tone: "critical" }, role: "alert" }, icon("critical"), h("p", { text: refusalText(error) })));
    }
    setHidden(loading, true);
  }

  function show(detail) {
    fill(trouble);
    setHidden(columns, false);
    head.show(detail);
    for (const part of Object.values(parts)) part.show(detail);
    handle.show(detail);
    showJumps();
  }

  /** The way to each part, because a drawer is long. */
  function showJumps() {
    const shown = ORDER.filter((name) => !parts[name].node.hidden);
    if (jumps.shown === shown.join()) return;
    jumps.shown = shown.join();
    fill(
      jumps,
      shown.map((name) =>
        h("button", {
          class: "button quiet",
          type: "button",
          text: t(parts[name].title),
          on: {
            click() {
              const heading = parts[name].node.querySelector("h3");
              heading.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
              heading.focus({ preventScroll: true });
            },
          },
        }),
      ),
    );
  }

  function reports() {
    const more = ["pdf", "md", "json"].map((format) => away(reportLink(number, format), t(`detail.report.${format}`)));
    const main = away(reportLink(number), t("detail.report"));
    main.className = "button report";
    return [main, h("span", { class: "report-forms small" }, more)];
  }

  refresh();
  /** Closed by the page, which opens another one at once: that takes its place, and its form. */
  function close() {
    asPage = drawer.isOpen && drawer.full;
    drawer.close();
    setTimeout(() => (asPage = false));
  }

  return { number, refresh, close, askName: handle.focus };
}
