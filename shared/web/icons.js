// One shape per state, severity and mark, on a 16x16 grid, filled with the text colour. Shapes differ in outline, not in
// detail: they are told apart at 12 px and without colour.

import { setAttr } from "./dom.js";

const PATHS = {
  // agent states
  ready: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Z",
  ringing: "M8 1.5 15 14H1L8 1.5Z",
  talk: "M3.5 2h9A2.5 2.5 0 0 1 15 4.5v5a2.5 2.5 0 0 1-2.5 2.5H8l-4 3.2V12h-.5A2.5 2.5 0 0 1 1 9.5v-5A2.5 2.5 0 0 1 3.5 2Z",
  hold: "M3 2h3.6v12H3V2Zm6.4 0H13v12H9.4V2Z",
  consult: "M6 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Zm4.6.1a6.9 6.9 0 0 1 0 10.8 5.5 5.5 0 0 0 0-10.8Z",
  wrap: "M3 1h7l3 3v11H3V1Zm2 6v1.5h6V7H5Zm0 3.2v1.5h4v-1.5H5Z",
  break: "M1.5 4H12v1h1a2.5 2.5 0 0 1 0 6h-1.3A4 4 0 0 1 8 14H5.5a4 4 0 0 1-4-4V4ZM12 6.5v3h1a1 1 0 0 0 1-1v-1a1 1 0 0 0-1-1h-1Z",
  offline: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Zm0 1.7a4.3 4.3 0 1 0 0 8.6 4.3 4.3 0 0 0 0-8.6Z",
  unknown:
    "M8 1c2.9 0 4.8 1.7 4.8 4.2 0 2-1 3-2.2 3.9-.9.7-1.3 1.1-1.3 2v.4H6.7v-.8c0-1.7.9-2.6 1.9-3.4.9-.7 1.5-1.2 1.5-2 0-1-.8-1.7-2.1-1.7-1.4 0-2.2.8-2.5 2.1L3 5C3.5 2.5 5.3 1 8 1ZM6.6 12.6h2.8v2.6H6.6v-2.6Z",
  // severities
  critical: "M5 1h6l4 4v6l-4 4H5l-4-4V5l4-4Zm2 3v5h2V4H7Zm0 6v2h2v-2H7Z",
  warning: "M8 1 15.5 14.5H.5L8 1ZM7.1 6v4.3h1.8V6H7.1Zm0 5.2V13h1.8v-1.8H7.1Z",
  info: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1ZM7 4v2h2V4H7Zm0 3v5h2V7H7Z",
  ok: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm3.2 4L7 9.2 4.9 7.1 3.7 8.3 7 11.6l5.4-5.4L11.2 5Z",
  // provenance
  observed: "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z",
  inferred:
    "M1.5 6.6c1.6-2.2 3.6-2.6 5.6-1.2 1.9 1.3 3.4 1.9 5.4-.6l2 1.2c-2 3-4.5 3.2-7 1.5-1.5-1-2.7-1.3-4.2.6L1.5 6.6Zm0 5c1.6-2.2 3.6-2.6 5.6-1.2 1.9 1.3 3.4 1.9 5.4-.6l2 1.2c-2 3-4.5 3.2-7 1.5-1.5-1-2.7-1.3-4.2.6l-1.8-1.5Z",
  timer: "M6 0h4v1.6H9v1A6.2 6.2 0 1 1 7 2.6v-1H6V0Zm2 4.2a4.6 4.6 0 1 0 0 9.2 4.6 4.6 0 0 0 0-9.2ZM7.2 6h1.6v3.3L7.2 9V6Z",
  stale: "M3 1h10v1.6h-1c0 2.6-1.4 4.3-2.7 5.4 1.3 1.1 2.7 2.8 2.7 5.4h1V15H3v-1.6h1c0-2.6 1.4-4.3 2.7-5.4C5.4 6.9 4 5.2 4 2.6H3V1Zm2.6 1.6C5.6 5 7 6.5 8 7.2c1-.7 2.4-2.2 2.4-4.6H5.6Z",
  // marks and controls
  brand: "M1 9h3v6H1V9Zm4.5-5h3v11h-3V4ZM10 7h3v8h-3V7Zm3.5-6a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3Z",
  listened:
    "M8 1.5A6.5 6.5 0 0 1 14.5 8v4.5a2 2 0 0 1-2 2H10.5V9h2.3V8a4.8 4.8 0 0 0-9.6 0v1h2.3v5.5H3.5a2 2 0 0 1-2-2V8A6.5 6.5 0 0 1 8 1.5Z",
  flapping: "M0 9.2 3.6 3l3.2 7.2L9.6 4l2.2 5H16v2h-5.4L9.6 8.8 6.8 15 3.4 7.2 1.7 10.2 0 9.2Z",
  inbound: "M13 1.6 14.4 3 6.4 11H11v2H3V5h2v4.6l8-8Z",
  outbound: "M3 14.4 1.6 13l8-8H5V3h8v8h-2V6.4l-8 8Z",
  internal: "M4.5 3.5 0 8l4.5 4.5V9h7v3.5L16 8l-4.5-4.5V7h-7V3.5Z",
  rewind: "M8 1.5A6.5 6.5 0 1 1 1.5 8h1.8A4.7 4.7 0 1 0 5 4.4V6.6H1V1.5h1.7v2.7A6.5 6.5 0 0 1 8 1.5ZM7.2 4.5h1.6v3.2l2.6 1.6-.8 1.3-3.4-2.1v-4Z",
  play: "M3.5 1.5 14 8 3.5 14.5v-13Z",
  pause: "M3.5 2h3v12h-3V2Zm6 0h3v12h-3V2Z",
  stop: "M3 3h10v10H3V3Z",
  star: "M8 1l2.1 4.6 5 .5-3.8 3.4 1.1 4.9L8 11.8l-4.4 2.6 1.1-4.9L.9 6.1l5-.5L8 1Zm0 3.6L6.9 6.9l-2.4.3 1.8 1.6-.5 2.4L8 9.9l2.2 1.3-.5-2.4 1.8-1.6-2.4-.3L8 4.6Z",
  starred: "M8 1l2.1 4.6 5 .5-3.8 3.4 1.1 4.9L8 11.8l-4.4 2.6 1.1-4.9L.9 6.1l5-.5L8 1Z",
  microphone: "M8 1a2.7 2.7 0 0 1 2.7 2.7v4a2.7 2.7 0 0 1-5.4 0v-4A2.7 2.7 0 0 1 8 1ZM3 7.5h1.6a3.4 3.4 0 0 0 6.8 0H13a5 5 0 0 1-4.2 4.9V15H7.2v-2.6A5 5 0 0 1 3 7.5Z",
  search: "M6.5 1a5.5 5.5 0 0 1 4.4 8.8l4 4-1.3 1.3-4-4A5.5 5.5 0 1 1 6.5 1Zm0 1.8a3.7 3.7 0 1 0 0 7.4 3.7 3.7 0 0 0 0-7.4Z",
  close: "m3.3 2 4.7 4.7L12.7 2 14 3.3 9.3 8l4.7 4.7-1.3 1.3L8 9.3 3.3 14 2 12.7 6.7 8 2 3.3 3.3 2Z",
  person: "M8 1.5a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4ZM1.8 14.5C2.2 11.3 4.8 9.2 8 9.2s5.8 2.1 6.2 5.3H1.8Z",
  system: "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM8 3.2v9.6a4.8 4.8 0 0 0 0-9.6Z",
  dark: "M6.2 1.4a6.8 6.8 0 1 0 8.4 8.4A5.6 5.6 0 0 1 6.2 1.4Z",
  light:
    "M8 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7ZM7.2 0h1.6v2.8H7.2V0Zm0 13.2h1.6V16H7.2v-2.8ZM0 7.2h2.8v1.6H0V7.2Zm13.2 0H16v1.6h-2.8V7.2ZM2.9 1.8l2 2-1.1 1.1-2-2 1.1-1.1Zm9.3 9.3 2 2-1.1 1.1-2-2 1.1-1.1Zm0-6.2-1.1-1.1 2-2 1.1 1.1-2 2ZM2.9 14.2l-1.1-1.1 2-2 1.1 1.1-2 2Z",
  legend: "M1 1h14v14H1V1Zm1.6 1.6v10.8h10.8V2.6H2.6ZM4 4.4h1.8v1.8H4V4.4Zm3 0h5v1.8H7V4.4ZM4 7.1h1.8v1.8H4V7.1Zm3 0h5v1.8H7V7.1ZM4 9.8h1.8v1.8H4V9.8Zm3 0h5v1.8H7V9.8Z",
  cards: "M1 2h6v5H1V2Zm8 0h6v5H9V2ZM1 9h6v5H1V9Zm8 0h6v5H9V9Z",
  rows: "M1 2.5h14v2H1v-2Zm0 4.5h14v2H1V7Zm0 4.5h14v2H1v-2Z",
  settings:
    "M2 3h7v2H2V3Zm10 0h2v2h-2V3ZM9.5 2h2v4h-2V2ZM2 7h2v2H2V7Zm5 0h7v2H7V7ZM4.5 6h2v4h-2V6ZM2 11h6v2H2v-2Zm9 0h3v2h-3v-2ZM8.5 10h2v4h-2v-4Z",
  muted:
    "M1 5.5h3L8 2v12l-4-3.5H1v-5Zm9 .9 1.1-1.1 1.6 1.6 1.6-1.6 1.1 1.1L13.8 8l1.6 1.6-1.1 1.1-1.6-1.6-1.6 1.6L10 9.6 11.6 8 10 6.4Z",
  down: "M2 5.5 8 11.5l6-6-1.4-1.4L8 8.7 3.4 4.1 2 5.5Z",
  up: "M2 10.5 8 4.5l6 6-1.4 1.4L8 7.3l-4.6 4.6L2 10.5Z",
  filter: "M1 2.5h14L9.6 9v5.5l-3.2-2V9L1 2.5Z",
  columns: "M1 2h14v12H1V2Zm1.6 1.6v8.8h2.8V3.6H2.6Zm4.2 0v8.8h2.4V3.6H6.8Zm3.8 0v8.8h2.8V3.6h-2.8Z",
  open: "M2 2h5v1.7H3.7v8.6h8.6V9H14v5H2V2Zm7 0h5v5h-1.7V4.9L7.6 9.6 6.4 8.4l4.7-4.7H9V2Z",
};

const SVG = "http://www.w3.org/2000/svg";

/** An icon that says nothing to a screen reader; put the word beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  return setIcon(svg, name);
}

/** Give an icon made by `icon` another shape. */
export function setIcon(svg, name) {
  setAttr(svg.firstChild, "d", PATHS[name] ?? PATHS.unknown);
  return svg;
}
