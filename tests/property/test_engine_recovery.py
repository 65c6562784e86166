"""The engine in its pump: killed anywhere, restarted from whichever checkpoint there was, it says what it would have said.

The flags and records that readers take, and the engine's state, byte by byte, are those of a run that nothing interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.monitor.app import decode, route
from services.monitor.core.engine import Engine
from shared.codec import encode
from shared.dedup import Passed
from shared.events import Clock, Event
from shared.facts import Fact
from shared.memorybus import MemoryBus
from shared.pump import Pace, Pump
from shared.topics import ALL, FLOOR_EVENTS, FLOOR_FLAGS, FLOOR_RECORDS
from tests.floorkit import SITE, event
from tests.property.floors import Told, plausible
from tests.property.test_machine import CONFIG, RULES
from tests.pumpkit import until

INTERRUPTIONS = st.sampled_from(["stop", "kill", "kill at once", "outage"])


def log_of(told: Told) -> list[Event]:
    """The floor's log: each event with its position, and marks in between."""
    found, second = [], -1.0
    for offset, (now, data) in enumerate(told):
        if now > second:
            found.append(event(now, Clock()))
        found.append(event(now, data, offset))
        second = now
    return [*found, event(second + 120, Clock())]


def as_read(bus: MemoryBus) -> list[bytes]:
    """Flags and records as a reader takes them that drops positions that it has passed."""
    found = []
    for topic in (FLOOR_FLAGS, FLOOR_RECORDS):
        passed = Passed()
        for record in bus.records(topic):
            fact = msgspec.json.decode(record.value)
            position = (fact["rawpartition"], fact["rawoffset"], fact.get("rawindex", 0))
            if not passed.seen(fact["site"], *position):
                found.append(record.value)
    return found


def expected(made: list[Fact]) -> list[bytes]:
    outgoing = [route(fact) for fact in made]
    return [one.value for topic in (FLOOR_FLAGS, FLOOR_RECORDS) for one in outgoing if one.topic == topic]


async def live_through(
    log: list[Event], parts: list[tuple[int, str]], checkpoint_records: int
) -> tuple[Engine, MemoryBus]:
    """`parts`: after so many events more, what happens to the monitor."""
    bus = MemoryBus()
    await bus.create(ALL)
    pace = Pace(checkpoint_records=checkpoint_records, batch_records=7, backoff_s=0.0001, backoff_max_s=0.001)
    pump: Pump[Event, Fact] | None = None
    done = 0

    def caught_up(pump: Pump[Event, Fact]) -> bool:
        return pump.status.ready and pump._next.get(("floor.events", 0)) == done

    for count, interruption in [*parts, (len(log), "none")]:
        if pump is None:
            engine = Engine(CONFIG, RULES)
            pump = Pump("monitor", bus, engine, topics=[FLOOR_EVENTS], decode=decode, route=route, pace=pace)
            task = asyncio.create_task(pump.run())
        for one in log[done : done + count]:
            await bus.publish(FLOOR_EVENTS, encode(one), key=SITE)
        await bus.flush()
        done = min(len(log), done + count)
        if interruption != "kill at once":
            await until(lambda pump=pump: caught_up(pump))  # type: ignore[misc]
        if interruption == "stop":
            pump.stop()
            await task
            pump = None
        elif interruption.startswith("kill"):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            pump = None
        elif interruption == "outage":
            bus.break_down()
            await until(lambda pump=pump: pump.status.state == "waiting_for_broker")  # type: ignore[misc]
            bus.recover()
            await until(lambda pump=pump: caught_up(pump))  # type: ignore[misc]
    assert pump is not None
    pump.stop()
    await task
    return engine, bus


@settings(max_examples=40)
@given(
    plausible(apart=0.001),
    st.lists(st.tuples(st.integers(1, 40), INTERRUPTIONS), min_size=1, max_size=4),
    st.integers(1, 20),
)
def test_a_monitor_that_is_interrupted_says_what_it_would_have_said(
    told: Told, parts: list[tuple[int, str]], checkpoint_records: int
) -> None:
    log = log_of(told)
    whole = Engine(CONFIG, RULES)
    made = [fact for one in log for fact in whole.apply(one)]
    with capture_logs():
        engine, bus = asyncio.run(live_through(log, parts, checkpoint_records))
    assert as_read(bus) == expected(made)
    assert engine.dump() == whole.dump()
