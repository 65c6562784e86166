"""The buffer of live sound, its own modules in a real browser, on frames that come evenly, late, in bursts or not at all."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.soundkit import even, page_at, simulate, uneven
from tests.browser.soundrelay import relaying

pytestmark = pytest.mark.asyncio(loop_scope="package")

FRAME_MS, MIN_MS, MAX_MS = 20, 60, 200
SLOPE = 0.0865  # the steepest step from sample to sample of the tone that is played


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with relaying() as relay, page_at(browser, f"{relay.url}/sound") as (page, complaints):
        yield page
        assert complaints == []


def nothing_missed(counts: dict[str, Any]) -> bool:
    return all(counts[name] == 0 for name in ("lost", "late", "dropped", "concealed_ms", "gaps", "resyncs"))


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_lost_while_frames_are_less_late_than_the_target(page: Page, seed: int, rate: int) -> None:
    dice = random.Random(seed)
    by_ms = dice.choice((0, 20, 45, 59))
    found = await simulate(page, uneven(even(500), by_ms, dice), 9_900, rate=rate)
    assert nothing_missed(found["counts"]), (by_ms, found["counts"])
    assert found["breaks"] == 0, "each sample once, in order"
    assert found["steepest"] < SLOPE
    assert max(found["targets"]) <= MIN_MS + FRAME_MS
    assert found["most_held"] <= MIN_MS + 3 * FRAME_MS


def storm(dice: random.Random) -> list[tuple[int, float]]:
    """Twelve seconds of whatever a network and a busy page can do to frames."""
    arrivals: list[tuple[int, float]] = []
    number, clock, free = 0, 0.0, 0.0  # next frame, when it is made, when the way is free
    while clock < 12_000:
        kind = dice.choice(("calm", "calm", "uneven", "burst", "hole", "pause", "again"))
        frames = even(dice.randint(5, 60), first=number, begin_ms=clock)
        number, clock = number + len(frames), clock + 20.0 * len(frames)
        if kind == "hole":
            number += dice.randint(1, 30)  # which the relay did not send
        elif kind == "pause":
            clock += dice.uniform(50, 1500)  # in which the switch sent nothing
        elif kind == "burst":
            free = frames[0][1] + dice.uniform(50, 3000)
        elif kind == "again":
            number = 0  # another stream
        late = uneven(frames, dice.uniform(0, 400), dice) if kind == "uneven" else frames
        for one, at in late:
            free = max(free, at)
            arrivals.append((one, free))
    return arrivals


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_comes_the_delay_stays_bounded_and_sound_comes_back(page: Page, seed: int) -> None:
    dice = random.Random(seed)
    arrivals = storm(dice)
    begin = arrivals[-1][1] + 20
    calm = even(800, first=arrivals[-1][0] + 1, begin_ms=begin)
    found = await simulate(page, arrivals + calm, begin + 15_900)
    assert found["most_held"] <= MAX_MS + FRAME_MS + 0.2, "200 ms and one frame"
    assert found["playing"]
    assert found["steepest"] < 0.15, "no click is left where two pieces of a tone of 0.25 meet"
    assert all(MIN_MS <= one <= MAX_MS - FRAME_MS for one in found["targets"])
    assert found["targets"][-1] == MIN_MS, "calm again"
    assert MIN_MS - FRAME_MS <= found["helds"][-1] <= MIN_MS + 3 * FRAME_MS, "and the delay is taken back"


async def test_the_target_follows_how_uneven_frames_come(page: Page) -> None:
    dice = random.Random(7)
    rough = uneven(even(1000), 130, dice)
    calm = even(1000, first=1000, begin_ms=20_000 + 20)
    found = await simulate(page, rough + calm, 39_900)
    settled, last = found["targets"][150:200], found["targets"][-1]
    assert all(90 <= one <= 160 for one in settled)
    assert last == MIN_MS
    assert found["helds"][-1] <= MIN_MS + 3 * FRAME_MS


async def test_who_comes_as_late_as_the_target_allows_is_heard_whole_once_it_has_grown(page: Page) -> None:
    dice = random.Random(3)
    early = uneven(even(500), 120, dice)
    all_of_it = uneven(even(1500), 120, random.Random(3))
    first = await simulate(page, early, 9_900)
    whole = await simulate(page, all_of_it, 29_900)
    assert whole["counts"]["concealed_ms"] - first["counts"]["concealed_ms"] < 0.01 * 20_000


@pytest.mark.parametrize("burst", [True, False], ids=["the frames come after all", "they never were"])
async def test_after_a_gap_the_delay_is_as_before(page: Page, burst: bool) -> None:
    before = even(200)
    if burst:
        after = [(number, max(at, 5_000.0)) for number, at in even(400, first=200, begin_ms=4_000)]
    else:
        after = even(350, first=200, begin_ms=5_000)
    found = await simulate(page, before + after, 11_000)
    assert found["counts"]["gaps"] == 1
    assert found["counts"]["concealed_ms"] <= 110, "after that it is silence"
    assert found["most_held"] <= MAX_MS + FRAME_MS
    resumed = found["helds"][52:]
    assert all(40 <= one <= 130 for one in resumed), resumed
    assert (found["counts"]["dropped"] > 40) is burst


async def test_a_hole_is_bridged_and_nothing_moves(page: Page) -> None:
    arrivals = [one for one in even(300) if one[0] not in (100, 101, 180)]
    found = await simulate(page, arrivals, 5_900)
    counts = found["counts"]
    assert (counts["lost"], counts["late"], counts["gaps"], counts["dropped"]) == (3, 0, 0, 0)
    assert counts["concealed_ms"] == pytest.approx(60)
    assert found["steepest"] < 0.12
    assert found["helds"][-1] == pytest.approx(found["helds"][15], abs=3)


async def test_two_clocks_that_differ_are_made_good_without_a_loss(page: Page) -> None:
    """A switch whose second is 0.4 % short, for a minute: 240 ms, more than the buffer may hold."""
    arrivals = [(number, number * 20 * 0.996) for number in range(3000)]
    found = await simulate(page, arrivals, 59_000)
    assert nothing_missed(found["counts"])
    assert found["most_held"] < 110
    assert 0 < max(found["corrections"]) <= 0.01


RESAMPLED = """async ({ from, to, hz, correction = 0 }) => {
  const { Resampler } = await import("/static/monitor/listen/sound/resample.js");
  const one = new Resampler(from, to, 1);
  const step = one.step * (1 + correction);
  const sound = [];
  for (let n = 0; sound.length < to; ) {
    const block = Float32Array.from({ length: 100 }, () => Math.sin((2 * Math.PI * hz * n++) / from));
    one.write([block], 100);
    const out = new Float32Array(one.ready(step));
    one.read([out], out.length, step);
    sound.push(...out);
  }
  const settled = sound.slice(to / 10, to / 10 + to / 2);
  const of = (wanted) => {
    let [re, im] = [0, 0];
    settled.forEach((value, n) => {
      const angle = (2 * Math.PI * wanted * n) / to;
      re += value * Math.cos(angle);
      im += value * Math.sin(angle);
    });
    return (2 * Math.hypot(re, im)) / settled.length;
  };
  const power = settled.reduce((sum, value) => sum + value * value, 0) / settled.length;
  const heard = hz * (1 + correction);
  const tone = of(heard);
  return { tone, rest: Math.sqrt(Math.max(0, power - (tone * tone) / 2)) };
}"""


@pytest.mark.parametrize(("rate", "out"), [(8000, 48000), (8000, 44100), (16000, 48000)])
@pytest.mark.parametrize("correction", [0, 0.01, -0.01])
async def test_another_rate_keeps_the_tone_and_adds_nothing(page: Page, rate: int, out: int, correction: float) -> None:
    asked = {"from": rate, "to": out, "hz": 1000, "correction": correction}
    found = await page.evaluate(RESAMPLED, asked)
    assert found["tone"] == pytest.approx(1, abs=0.01)
    assert found["rest"] < 0.003


@pytest.mark.parametrize(("hz", "passes"), [(440, 1.0), (2500, 1.0), (5500, 0.0), (15000, 0.0)])
@pytest.mark.parametrize("rate", [48000, 44100])
async def test_the_microphone_keeps_a_voice_and_what_its_rate_cannot_hold_is_filtered(
    page: Page, rate: int, hz: int, passes: float
) -> None:
    found = await page.evaluate(RESAMPLED, {"from": rate, "to": 8000, "hz": hz})
    heard = found["tone"] if passes else max(found["tone"], found["rest"])
    assert heard == pytest.approx(passes, abs=0.03)
