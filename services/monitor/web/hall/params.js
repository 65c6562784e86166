// What the address of a hall's screen asks for. There are no controls, so everything is there:
//
//     /hall?site=hq&queues=sales,support&title=Hall%20A&lang=zh-CN&theme=light&scale=1.2&page=15&flags=queues&sound=1
//
// `lang` is read by i18n.js, `theme` by boot.js, `sound` by the alarms.

const SCALES = [0.5, 2];
const PAGE_S = { usual: 12, least: 4, most: 600 };
const FLAGS = ["all", "queues", "none"]; // which flags: everybody's, those of queues and sites only, none

/**
 * {sites: [], queues: [] (each "queue" or "site/queue", in the order to show; empty: all), title, scale, pageS, flags,
 * sound}. What cannot be meant is taken as not said.
 */
export function readParams(search) {
  const asked = new URLSearchParams(search);
  const list = (name) =>
    asked
      .getAll(name)
      .flatMap((text) => text.split(","))
      .map((text) => text.trim())
      .filter(Boolean);
  return {
    sites: [...list("site"), ...list("sites")],
    queues: [...list("queue"), ...list("queues")],
    title: (asked.get("title") ?? "").trim(),
    scale: within(asked.get("scale"), 1, ...SCALES),
    pageS: within(asked.get("page"), PAGE_S.usual, PAGE_S.least, PAGE_S.most),
    flags: FLAGS.includes(asked.get("flags")) ? asked.get("flags") : "all",
    sound: asked.get("sound") === "1",
  };
}

function within(text, usual, least, most) {
  const value = Number.parseFloat(text ?? "");
  return Number.isFinite(value) && value > 0 ? Math.min(most, Math.max(least, value)) : usual;
}
