// The pages of this service, below the top bar of every page: incidents, silences, reports.
//
//     const sub = subnav(document.getElementById("subnav"), { page: "silences" });
//     sub.end.append(...)                 // the page's own things at its right end

import { fill, h, setAttr, setText } from "/static/shared/dom.js";
import { onLanguage, t, useStrings } from "/static/shared/i18n.js";
import strings from "./nav/strings.js";

useStrings(strings);

const PAGES = { incidents: "/", silences: "/silences.html", reports: "/reports.html", notifications: "/notifications.html" };

export function subnav(root, { page }) {
  const links = Object.entries(PAGES).map(([name, href]) => h("a", { href, "aria-current": name === page ? "page" : null, data: { page: name } }));
  const nav = h("nav", { class: "subnav-pages" }, links);
  const end = h("div", { class: "subnav-end" });
  root.classList.add("subnav");
  fill(root, nav, end);
  function render() {
    setAttr(nav, "aria-label", t("subnav.label"));
    for (const link of links) setText(link, t(`subnav.${link.dataset.page}`));
  }
  onLanguage(render);
  render();
  return { end };
}
