"""Rewinding on a real broker with real monitors and their worker processes: what was shown is shown again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from services.ingest.connectors.simulator.floor import SimulatedFloor, Told
from services.monitor.app import Monitor
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rewind.records import Entry, piece_of, pieces_of
from shared import events
from shared.bus import Bus
from shared.clock import SystemClock
from shared.codec import encode
from shared.events import Event
from shared.kafka import KafkaBus
from shared.settings import MonitorSettings
from shared.topics import ALL, FLOOR_EVENTS, FLOOR_HISTORY
from tests.brokers import BOTH, Running, empty_broker
from tests.floorkit import CONFIG, RULES, SITE
from tests.pumpkit import read_all, until

OPENS = datetime.fromisoformat("2026-11-22T09:00:00+00:00")


@pytest.fixture(params=BOTH)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with empty_broker(request.param, tmp_path) as started:
        yield started


class Floor:
    """A simulated floor told to a broker event by event, and what the board showed of it."""

    def __init__(self, bus: Bus, seed: int = 1) -> None:
        self.bus = bus
        self._floor = SimulatedFloor(seed, OPENS)
        self._offset = 0
        self.now = OPENS
        self.by = timedelta()
        self.jump = -1
        self.shown: dict[datetime, Any] = {}

    async def begin(self) -> None:
        await self.bus.create(ALL)
        await self._say(self._event(events.LinkUp(connector="test")), *map(self._told, self._floor.opening))

    async def live(self, monitor: Monitor, *, steps: int, seconds: float = 7.0) -> None:
        """Go on for so many steps, and note after each what the board shows once the monitor has heard all."""
        for _ in range(steps):
            self.now += timedelta(seconds=seconds)
            await self._say(*map(self._told, self._floor.next(self.now)), self._event(events.Clock(jump=self.jump)))
            await self.heard_by(monitor)
            self.shown[self.now + self.by] = plain(monitor.engine.floor_view())

    async def set_clock(self, by_s: float) -> None:
        """The switch's clock is set. Of moments that come again what was shown the first time is not shown any more."""
        self.by += timedelta(seconds=by_s)
        self.shown = {at: floor for at, floor in self.shown.items() if at < self.now + self.by}
        self.jump = self._offset
        await self._say(self._event(events.ClockJumped(by_s=by_s), offset=True))

    async def mark(self) -> None:
        """Say the time again."""
        await self._say(self._event(events.Clock(jump=self.jump)))

    async def heard_by(self, monitor: Monitor) -> None:
        await until(lambda: monitor.engine.clocks().get(SITE, (None,))[0] == self.now + self.by)

    def _told(self, told: Told) -> Event:
        return self._event(told.data, told.time, offset=True)

    def _event(self, data: Any, time: datetime | None = None, *, offset: bool = False) -> Event:
        number, self._offset = self._offset, self._offset + offset
        return events.make(
            data,
            id=f"{number}",
            source="/test",
            site=SITE,
            time=(time or self.now) + self.by,
            rawpartition=0 if offset else -1,
            rawoffset=number if offset else -1,
        )

    async def _say(self, *said: Event) -> None:
        for one in said:
            await self.bus.publish(FLOOR_EVENTS, encode(one), key=SITE)
        await self.bus.flush()


def plain(floor: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(floor))


@contextlib.asynccontextmanager
async def monitor_on(
    broker: Running, *, name: str = "0", rules: RuleBook = RULES, **settings: Any
) -> AsyncIterator[tuple[Monitor, httpx.AsyncClient]]:
    """A monitor that takes checkpoints all the time, and keeps a state of the past with each."""
    wanted = {"checkpoint_s": 0.05, "history_s": 0.2, "history_records": 1, "rewind_limit_s": 60.0} | settings
    found = MonitorSettings(name=name, kafka_bootstrap=broker.bootstrap, **wanted)
    buses = [KafkaBus(broker.bootstrap, idempotent=broker.idempotent) for _ in range(2)]
    monitor = Monitor(found, buses[0], SystemClock(), CONFIG, rules, CollectorRegistry(), history=buses[1])
    tasks = [asyncio.create_task(monitor.pump.run())]
    assert monitor.rewind.writer is not None
    tasks.append(asyncio.create_task(monitor.rewind.writer.run()))
    transport = httpx.ASGITransport(app=monitor.app())
    try:
        await until(lambda: monitor.pump.status.ready)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            yield monitor, client
    finally:
        monitor.pump.stop()
        await asyncio.wait(tasks[:1])
        tasks[1].cancel()
        await asyncio.wait(tasks)
        await monitor.rewind.close()
        for bus in buses:
            await bus.close()


async def kept(floor: Floor, enough: Callable[[list[Entry]], bool]) -> None:
    """Wait until that is in the history.

    Marks go on, as they do on every floor: a state that comes while another is written is left to the next checkpoint.
    """
    async with asyncio.timeout(60):
        while True:
            pieces = [piece_of(record) for record in await read_all(floor.bus, FLOOR_HISTORY)]
            if enough([piece.entry for piece in pieces if piece is not None]):
                return
            await floor.mark()


def at_least(number: int) -> Callable[[list[Entry]], bool]:
    return lambda entries: len(entries) >= number


def since_the_clock_was_set(entries: list[Entry]) -> bool:
    """From such a state on moments that come twice are shown as they come now."""
    return any(entry.clock_jumps for entry in entries)


async def rewound(client: httpx.AsyncClient, at: datetime) -> httpx.Response:
    return await client.get(f"/api/v1/rewind/{SITE}/floor", params={"at": at.isoformat()})


async def test_what_was_shown_is_shown_again_also_after_a_restart_and_by_a_second_replica(broker: Running) -> None:
    bus = KafkaBus(broker.bootstrap)
    floor = Floor(bus)
    await floor.begin()
    async with monitor_on(broker) as (monitor, _):
        await floor.live(monitor, steps=20)
        await kept(floor, at_least(2))
    async with monitor_on(broker) as (monitor, _):
        await floor.heard_by(monitor)
        await floor.live(monitor, steps=10)
        async with monitor_on(broker, name="1") as (second, client):
            await floor.live(monitor, steps=15)
            await floor.set_clock(-60)
            await kept(floor, since_the_clock_was_set)
            await floor.live(monitor, steps=15)
            await floor.heard_by(second)
            await kept(floor, at_least(4))
            first = datetime.fromisoformat((await client.get(f"/api/v1/rewind/{SITE}")).json()["from"])
            moments = [moment for moment in sorted(floor.shown) if moment >= first]
            assert len(moments) > 30
            for moment in moments[::3] + moments[::-3]:
                answer = (await rewound(client, moment)).json()
                assert answer["floor"] == floor.shown[moment]
                assert datetime.fromisoformat(answer["now"]) == datetime.fromisoformat(answer["at"]) == moment
    await bus.close()


async def test_errors_are_told_apart(broker: Running) -> None:
    bus = KafkaBus(broker.bootstrap)
    floor = Floor(bus)
    await floor.begin()
    async with monitor_on(broker) as (monitor, client):
        unknown = await client.get("/api/v1/rewind/elsewhere")
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "no site elsewhere was heard of")
        await floor.live(monitor, steps=2)
        await kept(floor, at_least(1))
        reach = (await client.get(f"/api/v1/rewind/{SITE}")).json()
        assert datetime.fromisoformat(reach["to"]) == floor.now
        early = await rewound(client, OPENS - timedelta(days=1))
        assert (early.status_code, early.json()["reason"]) == (409, "before_first")
        assert datetime.fromisoformat(early.json()["earliest"]) == datetime.fromisoformat(reach["from"])
        first = await client.get(f"/api/v1/rewind/{SITE}/floor", params={"at": "0001-01-01T00:00:00+14:00"})
        assert (first.status_code, first.json()["reason"]) == (409, "before_first")
        late = await rewound(client, floor.now + timedelta(seconds=1))
        assert (late.status_code, late.json()["reason"]) == (409, "after_now")
        assert datetime.fromisoformat(late.json()["latest"]) == floor.now
        assert (await client.get(f"/api/v1/rewind/{SITE}/floor", params={"at": "yesterday"})).status_code == 422
    await bus.close()


async def test_a_state_of_another_version_is_passed_over(broker: Running) -> None:
    bus = KafkaBus(broker.bootstrap)
    floor = Floor(bus)
    await floor.begin()
    async with monitor_on(broker) as (monitor, client):
        await floor.live(monitor, steps=1)
        await kept(floor, at_least(1))
        await floor.live(monitor, steps=3)
        at = floor.now
        newest = piece_of((await read_all(bus, FLOOR_HISTORY))[-1])
        assert newest is not None
        strange = msgspec.structs.replace(newest.entry, save="strange", time=at)
        offsets = tuple((topic, number, offset + 1) for topic, number, offset in newest.entry.offsets)
        for value, headers in pieces_of(msgspec.structs.replace(strange, offsets=offsets), b"from the future"):
            await bus.publish(FLOOR_HISTORY, value, key=SITE, headers=headers)
        await bus.flush()
        assert (await rewound(client, at)).json()["floor"] == floor.shown[at]
    await bus.close()


async def test_a_worker_that_is_killed_or_too_slow_costs_one_answer(broker: Running) -> None:
    bus = KafkaBus(broker.bootstrap)
    floor = Floor(bus)
    await floor.begin()
    async with monitor_on(broker) as (monitor, client):
        await floor.live(monitor, steps=2)
        await kept(floor, at_least(1))
        at = floor.now
        assert (await rewound(client, at)).status_code == 200
        process = monitor.rewind.process
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        process.limit_s = 1.0
        slow = asyncio.create_task(rewound(client, at))
        await until(lambda: process.waiting == 1)
        crowd = [asyncio.create_task(rewound(client, at)) for _ in range(8)]
        assert (await slow).status_code == 503
        process.limit_s = 60.0
        sent_away = [one for one in await asyncio.gather(*crowd) if one.status_code in (429, 503)]
        assert len(sent_away) >= 3, "six wait at the most"
        assert all(int(one.headers["retry-after"]) > 0 for one in sent_away)
        again = await rewound(client, at)
        assert (again.status_code, again.json()["floor"]) == (200, floor.shown[at])
        assert process.pid not in (None, first)
        os.kill(process.pid or 0, signal.SIGKILL)
        assert (await rewound(client, at)).status_code in (200, 503)
        assert (await rewound(client, at)).status_code == 200
    assert monitor.rewind.process.pid is None
    await bus.close()


async def test_the_worker_rests_when_nobody_asks_and_goes_by_the_rules_of_now(broker: Running) -> None:
    bus = KafkaBus(broker.bootstrap)
    floor = Floor(bus)
    await floor.begin()
    async with monitor_on(broker, rewind_idle_s=0.5) as (monitor, client):
        await floor.live(monitor, steps=3)
        await kept(floor, at_least(1))
        assert (await rewound(client, floor.now)).status_code == 200
        await until(lambda: monitor.rewind.process.pid is None)
        monitor.rules.book = RuleBook()
        assert (await rewound(client, floor.now)).json()["floor"]["flags"] == []
    await bus.close()
