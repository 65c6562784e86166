"""A browser with ears, what a page does to listen, and the player's own modules on frames that a test makes up."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import CHROMIUM, PATIENCE_MS

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",  # and is allowed
)
UNTOUCHED = "--autoplay-policy=no-user-gesture-required"  # sound also where nobody clicked


@contextlib.asynccontextmanager
async def hearing(*arguments: str) -> AsyncIterator[Browser]:
    """A Chromium of its own, with a fake microphone."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def page_at(browser: Browser, url: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page in a window of its own, and what it complained about."""
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    await page.goto(url)
    try:
        yield page, complaints
    finally:
        await context.close()


# ---------------------------------------------------------------- the buffer alone

# frames [[seq, at_ms], …] into the buffer, and out of it as the worklet pulls. Each sample of the left side says its place in
# the stream, of the right side it is a tone: what comes out tells what was played and whether it clicks
SIMULATE = """async ({ arrivals, until, rate = 8000, out = 48000 }) => {
  const { JitterBuffer } = await import("/static/monitor/listen/sound/jitter.js");
  const { Resampler } = await import("/static/monitor/listen/sound/resample.js");
  const buffer = new JitterBuffer();
  const resampler = new Resampler(rate, out, 2);
  const length = rate / 50, quantum = 128, amplitude = 0.25, hz = 440;
  const block = [new Float32Array(1024), new Float32Array(1024)];
  const sound = [new Float32Array(quantum), new Float32Array(quantum)];
  const found = { most_held: 0, steepest: 0, breaks: 0, targets: [], helds: [], corrections: [] };
  let next = 0, last = null, before = 0, told = 0;
  for (let now = 0, n = 0; now < until; n += 1, now = (n * quantum * 1000) / out) {
    while (next < arrivals.length && arrivals[next][1] <= now) {
      const seq = arrivals[next++][0];
      const left = Float32Array.from({ length }, (_, k) => (seq * length + k + 1) / 2 ** 24);
      const right = Float32Array.from({ length }, (_, k) => amplitude * Math.sin((2 * Math.PI * hz * (seq * length + k)) / rate));
      buffer.push({ seq, rate, length, channels: 2, left, right, quiet: false, muted: false, capturedUs: 0, arrived: now }, now);
    }
    if (!buffer.stream) continue;
    const step = resampler.step * (1 + buffer.correction);
    const count = resampler.missing(quantum, step);
    const mixed = buffer.tail !== null;
    buffer.pull(block[0], block[1], count, now);
    resampler.write(block, count);
    resampler.read(sound, quantum, step);
    for (let k = 0; k < count; k += 1) {
      const place = Math.round(block[0][k] * 2 ** 24) - 1;
      const exact = block[0][k] !== 0 && !buffer.concealer.running && !mixed && !buffer.tail;
      if (exact && last !== null && place !== last + 1) found.breaks += 1;
      last = exact ? place : null;
      found.steepest = Math.max(found.steepest, Math.abs(block[1][k] - before));
      before = block[1][k];
    }
    found.most_held = Math.max(found.most_held, buffer.held);
    if (now >= told) {
      told += 100;
      found.targets.push(buffer.target);
      found.helds.push(buffer.held);
      found.corrections.push(buffer.correction);
    }
  }
  return { ...found, counts: buffer.counts, playing: buffer.playing };
}"""


def even(count: int, *, first: int = 0, begin_ms: float = 0.0) -> list[tuple[int, float]]:
    """Frames that come every 20 ms: number and time."""
    return [(first + n, begin_ms + n * 20.0) for n in range(count)]


def uneven(frames: list[tuple[int, float]], by_ms: float, dice: random.Random) -> list[tuple[int, float]]:
    """The same, each late by up to `by_ms`; none overtakes another, as on a connection that keeps order."""
    found: list[tuple[int, float]] = []
    latest = 0.0
    for number, at in frames:
        latest = max(latest, at + dice.uniform(0, by_ms))
        found.append((number, latest))
    return found


async def simulate(page: Page, arrivals: list[tuple[int, float]], until_ms: float, **rates: int) -> dict[str, Any]:
    """What the buffer made of it."""
    found = await page.evaluate(SIMULATE, {"arrivals": arrivals, "until": until_ms, **rates})
    assert isinstance(found, dict)
    return found
