// In the top bar: who is signed in, as the way to the page where one signs out. Nothing where no users are set up.

import { h, setAttr, setHidden, setText } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { me } from "./me.js";
import { sees } from "./sees.js";

export function whoIsIt() {
  const name = h("span", { class: "truncate" });
  const node = h("a", { class: "button quiet topbar-who", href: "/login.html", hidden: true }, icon("person"), name);
  let known = null;

  function render() {
    if (known === null) return;
    setText(name, known.name);
    const what = sees(known.scope);
    const words = t(what ? "who.sees" : "who.is", { name: known.name, what });
    setAttr(node, "title", words);
    setAttr(node, "aria-label", words);
    setHidden(node, false);
  }

  node.addEventListener("click", () => {
    node.href = `/login.html?next=${encodeURIComponent(location.pathname + location.search + location.hash)}`;
  });
  me().then(
    (found) => {
      if (found.mode === "local") return;
      known = found;
      render();
    },
    () => {}, // away, which the connection says, or not signed in, which leads to /login.html
  );
  return { node, render };
}
