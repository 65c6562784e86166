// A command that works when it is pasted: this address, this site, times of now, ids that were not used before.

import { onLanguage, t } from "/static/shared/i18n.js";
import { setText } from "/static/shared/dom.js";

const COPIED_MS = 2000;

export function showExample(place, siteInput, button) {
  const show = () => setText(place, command(siteName(siteInput.value)));
  siteInput.addEventListener("input", show);
  onLanguage(show);
  show();
  button.addEventListener("click", async () => {
    show();
    const done = await copy(place);
    setText(button, t(done ? "feed.copied" : "feed.selected"));
    setTimeout(() => setText(button, t("feed.copy")), COPIED_MS);
  });
}

/** Only what the API takes as a site, so that the pasted command can do nothing else. */
function siteName(typed) {
  return typed.replace(/[^A-Za-z0-9_.-]/g, "").replace(/^[^A-Za-z0-9]+/, "") || "hq";
}

function command(site) {
  const now = new Date();
  const id = now.getTime().toString(36);
  const event = (number, kind, data) => ({
    specversion: "1.0",
    type: `floorwatch.${kind}.v1`,
    id: `${id}-${number}`,
    source: "/pbx-a",
    time: now.toISOString(),
    data,
  });
  const batch = [
    event(1, "link_up", { connector: "pbx-a", switch: "my switch" }),
    event(2, "agent_logged_on", { agent_id: "1007", name: "Emma Clarke", team: "Sales", queues: ["sales"] }),
    event(3, "agent_ready", { agent_id: "1007" }),
  ];
  const body = batch.map((one) => JSON.stringify(one)).join(",\n ");
  return `curl -X POST '${location.origin}/api/v1/raw/${site}?connector=pbx-a' -H 'content-type: application/json' -d '
[${body}]'`;
}

async function copy(place) {
  try {
    await navigator.clipboard.writeText(place.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(place); // no clipboard without https: one keystroke is left to the reader
    return false;
  }
}
