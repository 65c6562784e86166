"""A browser with ears, what a page does to listen, and the player's own modules on frames that a test makes up."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import TimeoutError as NotInTime

from tests.browser.conftest import CHROMIUM, PATIENCE_MS

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
)
WILLING = (
    "--use-fake-ui-for-media-stream",  # the microphone is allowed
    "--autoplay-policy=no-user-gesture-required",  # and sound comes also where nobody clicked
)


@contextlib.asynccontextmanager
async def hearing(*arguments: str, program: str | None = CHROMIUM) -> AsyncIterator[Browser]:
    """A Chromium of its own, with a fake microphone; `WILLING` makes it allow what people must allow."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, *arguments])
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def page_at(browser: Browser, url: str, script: str = "") -> AsyncIterator[tuple[Page, list[str]]]:
    """A page in a window of its own, and what it complained about; `script` runs there first."""
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    if script:
        await context.add_init_script(script)
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


# ---------------------------------------------------------------- a page that listens

# keeps what the listening tells in `told`, its levels in `levels`, and measures the worklet's own output, side by side
# with `wish` it asks the monitor for a listen first, as somebody's click does
LISTENS = """async ({ url, pass, fresh, shown, wish }) => {
  const { Listening } = await import("/static/monitor/listen/sound/player.js");
  const { useStrings } = await import("/static/shared/i18n.js");
  useStrings((await import("/static/monitor/listen/sound/strings.js")).default);
  const context = (window.context = new AudioContext());
  const begun = performance.now();
  window.told = [];
  window.levels = [];
  window.firstSound = null;
  window.renewals = 0;
  let audio = { url, pass };
  window.answer = async () => ({ audio: { url, pass: `${fresh}${window.renewals}` } });
  if (wish) {
    const { api } = await import("/static/shared/api.js");
    const listen = (window.listen = await api.post("/api/v1/listens", wish));
    audio = listen.audio;
    window.answer = () => api.get(`/api/v1/listens/${listen.listen_id}/pass`);
  }
  const renewPass = () => (window.renewals++, window.answer());
  const listening = (window.listening = new Listening({ audio, renewPass, context }));
  for (const name of ["state", "stats", "discarded", "ended", "trouble", "microphone"]) {
    listening.on(name, (value) => told.push({ name, at: performance.now(), ...value }));
  }
  listening.on("level", (level) => {
    levels.push(level);
    if (level.agent.peak > 0.05) window.firstSound ??= performance.now() - begun;
  });
  if (shown) {
    const { LevelMeters } = await import("/static/monitor/listen/sound/meters.js");
    const { Waveform } = await import("/static/monitor/listen/sound/waveform.js");
    window.meters = new LevelMeters(document.getElementById("main"), listening);
    window.wave = new Waveform(document.getElementById("main"), listening);
  }
  await listening.connect();
  const ears = (node) => {
    const apart = context.createChannelSplitter(2);
    node.connect(apart);
    return [0, 1].map((channel) => {
      const ear = context.createAnalyser();
      ear.fftSize = 8192;
      ear.smoothingTimeConstant = 0;
      apart.connect(ear, channel);
      return ear;
    });
  };
  if (listening.node) window.ears = { worklet: ears(listening.node), out: ears(listening.outlet.output) };
}"""

# dB of the strongest within 2 % of each tone, for the left and the right side: a player that catches up is 1 % off
TONES = """({ where, hz }) => ears[where].map((ear) => {
  const found = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(found);
  const bin = (f) => Math.round((f * ear.fftSize) / context.sampleRate);
  return hz.map((f) => Math.max(-200, ...found.slice(bin(f * 0.98), bin(f * 1.02) + 1)));
})"""
PRESENT_DB, ABSENT_DB = -50, -80


def at_load(url: str) -> str:
    """A script that listens as soon as the page is there. Scripts that a test runs in a page count as somebody's touch of it."""
    asked = {"url": url.replace("http", "ws", 1), "pass": "first", "fresh": "fresh"}
    return f"addEventListener('DOMContentLoaded', () => ({LISTENS})({json.dumps(asked)}))"


async def listen_in(page: Page, url: str, *, shown: bool = False, token: str = "first", fresh: str = "fresh") -> None:
    """Listen in `page` to the sound at `url`, coming with the pass `token` and afterwards with fresh ones."""
    at = url.replace("http", "ws", 1)
    await page.evaluate(LISTENS, {"url": at, "pass": token, "fresh": fresh, "shown": shown})


async def ask_and_listen(page: Page, wish: dict[str, str]) -> float:
    """Ask the monitor for a listen and hear it; the seconds from asking to the first sound."""
    await page.evaluate(LISTENS, {"wish": wish})
    found = await page.wait_for_function("() => window.firstSound", timeout=PATIENCE_MS)
    return float(await found.json_value()) / 1000


async def until_sides(
    page: Page,
    left: list[bool],
    right: list[bool],
    hz: tuple[float, ...],
    where: str = "worklet",
    timeout_ms: float = PATIENCE_MS,
) -> None:
    """Wait until on each side exactly those of the tones `hz` are heard for which it says True."""
    judge = f"""asked => {{
      const found = ({TONES})(asked);
      window.heard = found;
      const fits = (is, db) => (is ? db > {PRESENT_DB} : db < {ABSENT_DB});
      return asked.wanted.every((side, n) => side.every((is, k) => fits(is, found[n][k])));
    }}"""
    asked = {"where": where, "hz": list(hz), "wanted": [left, right]}
    try:
        await page.wait_for_function(judge, arg=asked, timeout=timeout_ms, polling=50)
    except NotInTime as exc:
        raise AssertionError(f"heard {await page.evaluate('window.heard')} of {asked}") from exc


async def told(page: Page, name: str) -> list[dict[str, Any]]:
    """What the listening told under this name so far."""
    found = await page.evaluate("name => told.filter((one) => one.name === name)", name)
    assert isinstance(found, list)
    return found


async def until_told(
    page: Page, name: str, holds: str = "true", *, after: int = 0, timeout_ms: float = PATIENCE_MS
) -> dict[str, Any]:
    """The first of that name, from number `after` of all on, for which the JavaScript `holds` about `it`."""
    judge = f"([name, after]) => (window.told ?? []).slice(after).find((it) => it.name === name && ({holds}))"
    found = await (await page.wait_for_function(judge, arg=[name, after], timeout=timeout_ms, polling=20)).json_value()
    assert isinstance(found, dict)
    return found
