// What one listens for. The choice is remembered; a new agent's call is for that, whatever was chosen, unless something says otherwise.

import { fill, h, setAttr, setText } from "/static/shared/dom.js";
import { language, known, t } from "/static/shared/i18n.js";
import { prefs } from "/static/shared/prefs.js";

export const PURPOSES = ["live_qa", "new_agent", "coaching", "complaint", "spot_check"];
const CHOSEN = "listen.purpose";

/** The purpose to listen to `isNew` agent's call with; `offered`: what the site's policy has. */
export function purposeFor(isNew, offered = PURPOSES) {
  const chosen = prefs.get(CHOSEN, "live_qa");
  const wanted = isNew && ["live_qa", "spot_check"].includes(chosen) ? "new_agent" : chosen;
  if (offered.includes(wanted)) return wanted;
  return offered.includes(chosen) ? chosen : offered[0];
}

export class PurposeChooser {
  constructor() {
    this.words = h("span");
    this.select = h("select", { class: "select" });
    this.select.addEventListener("change", () => prefs.set(CHOSEN, this.select.value));
    this.node = h("label", { class: "purpose" }, this.words, this.select);
  }

  /** `purposes`: [{code, label_en, label_zh}] as the site's policy has them; empty: the usual ones. */
  update(purposes) {
    const options = purposes.length ? purposes.map((one) => [one.code, labelOf(one)]) : PURPOSES.map((code) => [code, purposeText(code)]);
    const text = JSON.stringify(options);
    if (this.offered !== text) fill(this.select, options.map(([code, words]) => h("option", { value: code }, words)));
    this.offered = text;
    const chosen = purposeFor(false, options.map(([code]) => code));
    if (this.select.value !== chosen) this.select.value = chosen;
    setText(this.words, t("listen.purpose"));
    setAttr(this.node, "title", t("listen.purpose.hint"));
  }
}

function labelOf({ code, label_en: en, label_zh: zh }) {
  return (language() === "en" ? en : zh) || purposeText(code);
}

export function purposeText(code) {
  const key = `listen.purpose.${code}`;
  return known(key) ? t(key) : code.replaceAll("_", " ");
}
