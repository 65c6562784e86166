// The reports page: a report of any period, written when it is asked for, and what was written and sent by schedule.

import { fill, h } from "/static/shared/dom.js";
import { onLanguage, t, translateTree, useStrings } from "/static/shared/i18n.js";
import { topbar } from "/static/shared/topbar.js";
import { subnav } from "../nav.js";
import shared from "../strings.js";
import { watchService } from "../silences/watching.js";
import { listSites, listWritten } from "./asking.js";
import { Choose } from "./choose.js";
import strings from "./strings.js";
import { Written } from "./written.js";

useStrings(shared);
useStrings(strings);
translateTree(document);

const bar = topbar(document.getElementById("topbar"), { page: "alerts" });
subnav(document.getElementById("subnav"), { page: "reports" });
const choose = new Choose();
const written = new Written();
fill(document.getElementById("choose"), choose.node);
document.getElementById("written-head").append(written.kinds);
fill(document.getElementById("written"), written.node);

/** The sites that are heard; where nobody watches them, those that reports were written of. */
async function sites() {
  try {
    const { sites: found } = await listSites();
    if (found.length) return found;
  } catch {
    // an older service, or one without rights to it: the list below knows some
  }
  try {
    const { reports = [] } = await listWritten({ limit: 100 });
    return [...new Map(reports.map(({ site, site_label: label }) => [site, { site, label }])).values()];
  } catch {
    return [];
  }
}

async function offer() {
  const found = await sites();
  choose.offer(found);
  fill(document.getElementById("choose"), found.length || choose.site ? choose.node : h("p", { class: "muted", text: t("reports.no_sites") }));
}

watchService({
  onState: bar.setConnection,
  onChange: () => {
    offer();
    written.refresh();
  },
});
onLanguage(() => {
  choose.draw();
  written.draw();
});
written.draw();
