// A frame of sound as the relay sends it: 16 bytes that say what it is, then 16-bit samples, little-endian, the two sides taking turns.

export const FOLLOWS_GAP = 1;
export const MUTED = 2;

const HEADER_BYTES = 16;
const VERSION = 1;
const FULL_SCALE = 32768;
const QUIET = 0.004; // -48 dB: what a line sounds like on which nobody speaks

/**
 * {seq, rate, channels, length, muted, followsGap, capturedUs, left, right, quiet} of `buffer`; null when it is no frame of this
 * version. `left` is the agent, `right` the customer, as numbers from -1 to 1; of one channel both are the same array.
 */
export function readFrame(buffer) {
  if (buffer.byteLength <= HEADER_BYTES) return null;
  const view = new DataView(buffer);
  const [version, flags, channels, khz] = [view.getUint8(0), view.getUint8(1), view.getUint8(2), view.getUint8(3)];
  if (version !== VERSION || (channels !== 1 && channels !== 2) || (khz !== 8 && khz !== 16)) return null;
  const length = Math.floor((buffer.byteLength - HEADER_BYTES) / (2 * channels));
  if (length === 0) return null;
  const left = side(view, 0, channels, length);
  const right = channels === 2 ? side(view, 1, channels, length) : left;
  return {
    seq: view.getUint32(4, true),
    capturedUs: Number(view.getBigUint64(8, true)),
    rate: khz * 1000,
    channels,
    length,
    muted: (flags & MUTED) !== 0,
    followsGap: (flags & FOLLOWS_GAP) !== 0,
    left,
    right,
    quiet: loudest(left) < QUIET && loudest(right) < QUIET,
  };
}

function side(view, channel, channels, length) {
  const samples = new Float32Array(length);
  for (let n = 0; n < length; n += 1) {
    samples[n] = view.getInt16(HEADER_BYTES + 2 * (n * channels + channel), true) / FULL_SCALE;
  }
  return samples;
}

function loudest(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}
