// A word in the top bar while somebody wants sound and the browser plays none before the page has been touched.

import { h, setAttr, setHidden, setText } from "/static/shared/dom.js";
import { onLanguage, t, useStrings } from "/static/shared/i18n.js";
import { icon } from "/static/shared/icons.js";
import { alarmChoice, onAlarmChoice } from "./choice.js";
import { soundState, unblockAtTouch } from "./sound.js";
import strings from "./strings.js";

useStrings(strings);

/** Put the mark before what `tools` has. It goes by itself with the first touch, wherever that is. */
export function markBlockedSound(tools) {
  const word = h("span");
  const mark = h("button", { class: "badge sound-blocked", type: "button", data: { tone: "warning" }, hidden: true }, icon("muted"), word);
  let touching = false;
  const draw = () => {
    setText(word, t("alarm.blocked"));
    setAttr(mark, "title", t("alarm.blocked.hint"));
    const blocked = alarmChoice().sound && soundState() === "blocked";
    setHidden(mark, !blocked);
    if (!blocked || touching) return;
    touching = true;
    unblockAtTouch(draw);
  };
  tools.prepend(mark);
  onAlarmChoice(draw);
  onLanguage(draw);
  draw();
}
