// How we know what is shown, and how old the newest evidence of it is: a mark that tells when it is asked.

import { h, setAttr, setData } from "/static/shared/dom.js";
import { age, clock } from "/static/shared/format.js";
import { t } from "/static/shared/i18n.js";
import { icon, setIcon } from "/static/shared/icons.js";

/** The mark; `draw` gives it its meaning. */
export function evidenceMark(className) {
  const mark = h("span", { class: `${className} evidence`, role: "img" }, icon("observed"));
  mark.addEventListener("pointerenter", () => setAttr(mark, "title", tellEvidence(mark.entity, mark.board)));
  return mark;
}

/** Show where `entity` = {site, provenance, seen} is known from. */
export function drawEvidence(mark, entity, board) {
  const provenance = provenanceOf(entity, board);
  Object.assign(mark, { entity, board });
  setIcon(mark.firstChild, provenance);
  setData(mark, "provenance", provenance);
  setAttr(mark, "aria-label", t(`provenance.${provenance}`));
}

function provenanceOf(entity, board) {
  return board.isStale(entity.site) ? "stale" : (entity.provenance ?? "observed");
}

/** "the switch reported this state · last heard of 12 s ago, at 09:14:05" */
export function tellEvidence(entity, board) {
  const meaning = t(`provenance.${provenanceOf(entity, board)}`);
  const ago = board.clocks.since(entity.site, entity.seen);
  if (ago === null) return meaning;
  const heard = t("evidence.seen", { age: age(ago), time: clock(entity.seen, board.zone(entity.site)) });
  return `${meaning} · ${heard}`;
}
