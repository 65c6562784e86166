// Loudness as people read it: decibels below the loudest that there is.

export const FLOOR_DB = -60; // what is below counts as silence

/** dB of an amplitude from 0 to 1: FLOOR_DB to 0. */
export function decibels(amplitude) {
  return amplitude > 0 ? Math.max(FLOOR_DB, Math.min(0, 20 * Math.log10(amplitude))) : FLOOR_DB;
}

/** How far along a scale from FLOOR_DB to 0 an amplitude lies: 0 to 1. */
export function shareOf(amplitude) {
  return 1 - decibels(amplitude) / FLOOR_DB;
}
