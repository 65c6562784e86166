// How tiles fill a screen: pure sums, no page.
//
// A tile is drawn in units, and a unit is as large as the tile allows; so the best arrangement is the one with the largest
// unit. Three shapes of tile, with the least room each needs, in units:

const SHAPES = { stack: [34, 37.5], normal: [48, 28], wide: [94, 19] };
const TIDY = 1.04; // a smaller unit by so much is worth it when fewer places stay empty

/** The largest unit for `count` tiles on `width` × `height` pixels: {columns, rows, shape, unit, spare: units of height to spare}. */
function fit(count, width, height, gap) {
  let best = null;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const empty = columns * rows - count;
    const [w, h] = [(width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows];
    for (const [shape, [across, down]] of Object.entries(SHAPES)) {
      const unit = Math.min(w / across, h / down);
      const better = best === null || unit > best.unit * (empty < best.empty ? 1 / TIDY : empty > best.empty ? TIDY : 1);
      if (better) best = { columns, rows, shape, unit, empty, spare: h / unit - down };
    }
  }
  return best;
}

/**
 * Arrange `count` tiles: {columns, rows, shape, unit, spare, perPage, pages}. Where a unit would be smaller than `least` pixels the
 * tiles go on several pages, shared out evenly.
 */
export function arrange(count, width, height, { gap = 0, least = 1 } = {}) {
  let perPage = Math.max(1, count);
  let found = fit(perPage, width, height, gap);
  if (found.unit < least) {
    while (perPage > 1 && found.unit < least) {
      perPage -= 1;
      found = fit(perPage, width, height, gap);
    }
    perPage = Math.ceil(count / Math.ceil(count / perPage));
    found = fit(perPage, width, height, gap);
  }
  const { columns, rows, shape, unit, spare } = found;
  return { columns, rows, shape, unit: Math.max(1, unit), spare, perPage, pages: Math.max(1, Math.ceil(count / perPage)) };
}
