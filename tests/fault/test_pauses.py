"""What stands still and goes on: a monitor that is paused, a broker that hangs. What is shown meanwhile says so."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import connect as connect_feed
from websockets.exceptions import ConnectionClosed

from shared import topics
from shared.bus import Bus
from shared.pumpstatus import STUCK_S
from tests.brokers import Broker
from tests.fault.kit import (
    Service,
    Uninterrupted,
    by_site,
    create_topics,
    following,
    last_checkpoints,
    read_all,
    services,
)
from tests.fault.load import Canonical, Plan, pouring
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
RATE: Final = 1500.0
PAUSE_S: Final = float(os.environ.get("FAULT_PAUSE_S", "6"))  # 60 for the long variant; over STUCK_S in any case

Tell = Callable[[str], None]


class Board:
    """A wallboard that comes again when it was let go, and keeps what it is told of the age of what it shows."""

    def __init__(self) -> None:
        self.ages: list[tuple[float, float]] = []  # when (monotonic) it was told, and the age of the oldest site

    async def watch(self, url: str) -> None:
        address = url.replace("http", "ws") + "/api/v1/feed"
        async for socket in connect_feed(address, max_size=None, ping_interval=None):
            with suppress(ConnectionClosed):  # let go, as one who is too slow for a while may be: it comes again
                await socket.send('{"type":"subscribe"}')
                with_clock: Any
                async for frame in socket:
                    with_clock = json.loads(frame)
                    if with_clock["type"] == "clock" and with_clock["sites"]:
                        oldest = max(site["age_s"] for site in with_clock["sites"].values())
                        self.ages.append((time.monotonic(), oldest))

    def told_since(self, moment: float) -> list[float]:
        return [age for at, age in self.ages if at > moment]


@asynccontextmanager
async def watching(monitor: Service) -> AsyncIterator[Board]:
    board = Board()
    task = asyncio.create_task(board.watch(monitor.url))
    try:
        yield board
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def test_a_paused_monitor_says_that_it_is_behind_catches_up_and_flags_with_the_right_times(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    assert PAUSE_S > STUCK_S
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=RATE, lasts_s=PAUSE_S + 4)
    monitor = Service("monitor", broker, tmp_path, checkpoint_s=2)
    async with services(monitor), following(broker, topics.FLOOR_FLAGS) as flags, watching(monitor) as board:
        async with pouring(plan, Canonical(bus, SITES)) as load:
            await load.until(2)
            assert await monitor.readiness() == ""
            monitor.pause()
            paused = time.monotonic()
            await load.until(2 + PAUSE_S - 0.5)
            asked = asyncio.create_task(monitor.readiness())  # it will be the first thing that the process hears of
            await load.until(2 + PAUSE_S)
            monitor.go_on()
            resumed = time.monotonic()
            said = await asked
            assert "nothing was read for" in said or "behind" in said
            await until(monitor.is_ready, "the monitor is up to date")
            caught_up_s = time.monotonic() - resumed
            told = await until(lambda: board.told_since(resumed), "the board is told something")
            assert told[0] > PAUSE_S - 1, "the first word to a board tells how old its picture is"
            await until(lambda: fresh(board, resumed), "the board is told that its picture is new")
            await load.done.wait()
            await load.until(plan.ends_s + 1)
        truth = Uninterrupted(await read_all(bus, topics.FLOOR_EVENTS))
        await until(lambda: enough(flags, len(plan.slow)), "every flag is downstream")
        await monitor.stop()
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
        ended = await last_checkpoints(bus, "monitor", truth.offsets)
        assert ended
        assert all(by_site(one.state) == truth.state() for one in ended)
    measured(f"paused for {resumed - paused:.0f} s at {RATE:.0f}/s, up to date {caught_up_s:.2f} s later")


async def fresh(board: Board, since: float) -> bool:
    told = board.told_since(since)
    return bool(told) and told[-1] < 2


async def enough(flags: Any, count: int) -> bool:
    return len(flags.slow()) >= count


async def test_a_broker_that_hangs_is_said_to_and_waited_for_in_bounded_memory(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    """It takes connections and answers nothing, the worst of outages: nobody is refused, nobody is told."""
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=RATE, lasts_s=PAUSE_S + 4)
    monitor = Service("monitor", broker, tmp_path, checkpoint_s=2)
    ingest = Service("ingest", broker, tmp_path)
    async with services(monitor, ingest), following(broker, topics.FLOOR_FLAGS) as flags, watching(monitor) as board:
        async with pouring(plan, Canonical(bus, SITES)) as load:
            await load.until(2)
            before = [one.resident_mb() for one in (monitor, ingest)]
            broker.pause()
            began = time.monotonic()
            await until(lambda: told(monitor), "the monitor says that the broker does not answer")
            await until(lambda: told(ingest), "ingest says that the broker does not answer")
            noticed_s = time.monotonic() - began
            await load.until(2 + PAUSE_S)
            assert board.told_since(began)[-1] > 2, "boards are told that their picture grows old"
            broker.go_on()
            resumed = time.monotonic()
            await until(monitor.is_ready, "the monitor is up to date")
            await until(ingest.is_ready, "ingest is up to date")
            ready_s = time.monotonic() - resumed
            await load.done.wait()
            await load.until(plan.ends_s + 1)
        truth = Uninterrupted(await read_all(bus, topics.FLOOR_EVENTS))
        await until(lambda: enough(flags, len(plan.slow)), "every flag is downstream")
        after = [one.resident_mb() for one in (monitor, ingest)]
        await monitor.stop()
        await ingest.stop()
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
        ended = await last_checkpoints(bus, "monitor", truth.offsets)
        assert ended
        assert all(by_site(one.state) == truth.state() for one in ended)
        assert all(now < then + 150 for then, now in zip(before, after, strict=True)), (before, after)
    measured(f"hung for {PAUSE_S:.0f} s: said after {noticed_s:.1f} s, ready {ready_s:.1f} s after it went on")


async def told(service: Service) -> bool:
    service.must_run()
    said = await service.readiness()
    return "does not answer" in said or "no answer in time" in said
