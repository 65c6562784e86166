// The bar on top of every page: product, pages, what the page adds, marks, connection, language, theme.
//
//     const bar = topbar(document.getElementById("topbar"), { page: "alerts" });
//     bar.setConnection(status);          // what live.js tells
//     bar.setMarks(["simulated"]);        // each of "simulated", "replay" that holds for something on the page
//     bar.slot.append(...)                // the page's own things: site, clock, ...
//     bar.tools.append(...)               // its buttons: rewind, settings, help

import { fill, h, setAttr, setData, setHidden, setText } from "./dom.js";
import { LANGUAGES, language, onLanguage, setLanguage, t } from "./i18n.js";
import { icon, setIcon } from "./icons.js";
import { may, me } from "./me.js";
import { NEEDED, pageAddress, PAGES } from "./pages.js";
import { setTheme, theme, THEMES } from "./theme.js";
import { whoIsIt } from "./who.js";

const CONNECTION_TONES = { connecting: "warning", live: "ok", lost: "critical", refused: "critical" };
const CONNECTION_ICONS = { connecting: "offline", live: "ready", lost: "critical", refused: "critical" };

export function topbar(root, { page }) {
  const marks = h("div", { class: "topbar-marks", hidden: true });
  const slot = h("div", { class: "topbar-slot" });
  const tools = h("div", { class: "topbar-tools" });
  const links = PAGES.map((name) =>
    h("a", { href: pageAddress(name, page), "data-t": `page.${name}`, "aria-current": name === page ? "page" : null, hidden: name in NEEDED && name !== page }),
  );
  showAllowed(links, page);
  const connection = connectionIndicator();
  const languages = languageSwitch();
  const themes = themeSwitch();
  const who = whoIsIt();
  root.classList.add("topbar");
  fill(
    root,
    h("a", { class: "skip-link", href: "#main", "data-t": "nav.skip" }),
    h("a", { class: "topbar-brand", href: "/" }, brandMark(), h("span", { "data-t": "product" })),
    h("nav", { class: "topbar-pages", "data-t-aria-label": "nav.pages" }, links),
    marks,
    slot,
    h("div", { class: "topbar-end" }, connection.node, tools, languages.node, themes.node, who.node),
  );

  let shown = [];
  function render() {
    for (const node of root.querySelectorAll("[data-t]")) setText(node, t(node.dataset.t));
    setAttr(root.querySelector(".topbar-pages"), "aria-label", t("nav.pages"));
    setHidden(marks, shown.length === 0);
    fill(marks, shown.map((mark) => h("span", { class: "topbar-mark", title: t(`mark.${mark}.hint`) }, t(`mark.${mark}`))));
    connection.render();
    languages.render();
    themes.render();
    who.render();
  }
  onLanguage(render);
  render();

  return {
    slot,
    tools,
    setConnection(status) {
      connection.set(status);
    },
    setMarks(names) {
      if (names.join() === shown.join()) return;
      shown = names;
      render();
    },
  };
}

/** Links to pages that are not for everybody come once it is known who looks. */
function showAllowed(links, page) {
  const show = () => PAGES.forEach((name, index) => setHidden(links[index], name !== page && name in NEEDED && !may(NEEDED[name])));
  me().then(show, () => {}); // away or not signed in: then without them
}

function brandMark() {
  const svg = icon("brand");
  svg.classList.add("brand-mark");
  return svg;
}

function connectionIndicator() {
  const shape = icon("offline");
  const word = h("span");
  const node = h("span", { class: "badge connection", data: { tone: "warning" } }, shape, word);
  let state = "connecting";
  function render() {
    setData(node, "tone", CONNECTION_TONES[state]);
    setIcon(shape, CONNECTION_ICONS[state]);
    setText(word, t(`connection.${state}`));
    setAttr(node, "title", t("connection.label"));
  }
  return {
    node,
    render,
    set(status) {
      state = status.state;
      render();
    },
  };
}

function languageSwitch() {
  const buttons = Object.entries(LANGUAGES).map(([code, name]) =>
    h("button", { type: "button", lang: code, data: { code }, on: { click: () => setLanguage(code) } }, name),
  );
  const node = h("div", { class: "segments", role: "group" }, buttons);
  function render() {
    setAttr(node, "aria-label", t("language.label"));
    for (const button of buttons) setAttr(button, "aria-pressed", String(button.dataset.code === language()));
  }
  return { node, render };
}

function themeSwitch() {
  const shape = icon("system");
  const node = h("button", { class: "button quiet icon-only", type: "button" }, shape);
  function render() {
    setIcon(shape, theme());
    setAttr(node, "title", t(`theme.${theme()}`));
    setAttr(node, "aria-label", t(`theme.${theme()}`));
  }
  node.addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    render();
  });
  return { node, render };
}
