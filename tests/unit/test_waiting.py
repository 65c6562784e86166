"""Waiting for a moment or a change: whoever waits can be stopped at any turn of the loop."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from shared.clock import FakeClock
from shared.waiting import wait


@pytest.mark.parametrize("turns", range(8))
async def test_a_stop_is_heard_also_while_a_change_is_taken_in(turns: int) -> None:
    clock, changed = FakeClock(), asyncio.Event()

    async def follow() -> None:
        while True:
            changed.clear()
            await wait(changed, clock, clock.now() + timedelta(minutes=1))

    task = asyncio.create_task(follow())
    for _ in range(5):
        await asyncio.sleep(0)
    changed.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    stopped = task.done()
    task.cancel()
    assert stopped


async def test_time_that_passes_before_it_begins_to_wait_counts() -> None:
    clock = FakeClock()
    task = asyncio.create_task(wait(asyncio.Event(), clock, clock.now() + timedelta(minutes=1)))
    await asyncio.sleep(0)  # it has asked for its timer, which has had no turn yet
    clock.pause(60)
    for _ in range(20):
        await asyncio.sleep(0)
    over = task.done()
    task.cancel()
    assert over


async def test_whoever_waits_for_a_moment_is_there_when_a_clock_is_moved_to_it() -> None:
    """Times of day count in whole microseconds: the sleep until one of them may end a part of one later."""
    clock = FakeClock()
    moment = clock.now() + timedelta(seconds=1800)
    waits = []
    for number in range(1, 100):
        await clock.advance(number / 7)
        waits.append(asyncio.create_task(wait(asyncio.Event(), clock, moment)))
    await clock.advance(1800 - clock.monotonic())
    await asyncio.gather(*waits)
