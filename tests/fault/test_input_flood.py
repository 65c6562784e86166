"""A producer gone wild: bad records by the ten thousand, among them a floor that works. Each bad one is a dead letter, none of
the good ones is missing or has another time, and neither memory nor log grows with them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from shared import events, topics
from shared.bus import Bus, Record
from shared.clock import SystemClock
from shared.codec import decode_event
from shared.dedup import Passed
from shared.facts import FlagRaised
from tests.badrecords import bad
from tests.brokers import APACHE, BOTH, Broker
from tests.fault.kit import (
    Downstream,
    Service,
    Uninterrupted,
    connect,
    create_topics,
    following,
    read_all,
    services,
)
from tests.fault.load import LIMIT_S, FromTheSwitch, Happening, Load, Plan, pouring
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
WILD: Final = "north"  # the one whose partition the bad ones share
LONG: Final = int(os.environ.get("FAULT_BAD_RECORDS", "1000000"))
SHORT: Final = 20_000
# A reader that is well knows of a record within a fraction of this; one that is not must know that it does not.
HEARD: Final = timedelta(seconds=1)
LIMIT: Final = timedelta(seconds=LIMIT_S)
MOST_GROWTH_MB: Final = 250
MOST_LOG_BYTES: Final = 200_000

Tell = Callable[[str], None]


@pytest.fixture(autouse=True)
def only_when_asked_for(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("long") and "long" not in request.config.option.markexpr:
        pytest.skip("takes minutes: pytest -m long")


class Connector(FromTheSwitch):
    """Knows when the broker had taken the end of each transfer, too."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus, SITES)
        self.taken: dict[str, datetime] = {}  # transfer id -> our clock, which is the floor's here
        self._waiting: list[str] = []

    async def happens(self, what: Happening, time: datetime) -> None:
        await super().happens(what, time)
        if isinstance(what.data, events.TransferBridged):
            self._waiting.append(what.data.transfer_id)

    async def flush(self) -> None:
        await super().flush()
        self.taken |= dict.fromkeys(self._waiting, SystemClock().now())
        self._waiting.clear()


class Letters:
    """The dead letters by their places, each once: many more than a test may hold."""

    def __init__(self) -> None:
        self.read = 0
        self.reasons: Counter[str] = Counter()
        self._places: set[tuple[str, int]] = set()

    async def follow(self, broker: Broker, expected: int) -> None:
        """Until there are as many as expected."""
        bus = connect(broker)
        reader = await bus.read([topics.SWITCH_DEAD_LETTER])
        try:
            while len(self._places) < expected:
                for record in await reader.getmany(timeout_s=0.5):
                    self._take(record)
        finally:
            await reader.close()
            await bus.close()

    def _take(self, record: Record) -> None:
        found = {name: value.decode(errors="replace") for name, value in record.headers[:6]}
        assert (found["pump"], found["topic"]) == ("ingest", "switch.raw")
        self.read += 1
        place = (found["partition"], int(found["offset"]))
        if place not in self._places:
            self._places.add(place)
            self.reasons[found["reason"]] += 1


async def pour_bad(broker: Broker, count: int) -> None:
    bus = connect(broker)
    for number, (_, value, headers) in enumerate(bad(count, WILD)):
        await bus.publish(topics.SWITCH_RAW, value, key=WILD, headers=headers)
        if number % 2000 == 1999:
            await bus.flush()
    await bus.close()


async def flood(
    broker: Broker, bus: Bus, folder: Path, tell: Tell, count: int, *, lasts_s: float = 8, kill: bool = False
) -> None:
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=80, lasts_s=lasts_s)
    connector = Connector(bus)
    ingest = Service("ingest", broker, folder, checkpoint_s=1)
    monitor = Service("monitor", broker, folder)
    letters = Letters()
    async with services(ingest, monitor), following(broker, topics.FLOOR_FLAGS) as flags:
        before_mb, began = ingest.resident_mb(), asyncio.get_running_loop().time()
        async with pouring(plan, connector) as load, asyncio.TaskGroup() as doing:
            doing.create_task(pour_bad(broker, count))
            following_letters = doing.create_task(letters.follow(broker, count))
            if kill:
                await until(lambda: letters.read > count // 4, "a quarter of the dead letters is there")
                await ingest.kill()
                await ingest.spawn()
            await following_letters
            took_s = asyncio.get_running_loop().time() - began
            await load.done.wait()
            await until(lambda: plan.slow.keys() <= flags.slow().keys(), "every slow transfer is flagged")
            await until(
                lambda: deadlines_passed(bus, load), "ingest has told the time of the last deadline", every_s=0.5
            )
        after_mb = ingest.resident_mb()
        counted = count + load.poured

        async def all_counted() -> bool:
            return kill or await ingest.metric("pump_records_total") >= counted

        await until(all_counted, "ingest has counted every record")
        assert kill or await ingest.metric("pump_records_total") == counted
        await ingest.stop()
        untrue = await good_ones(bus, load, connector, flags)
        await monitor.stop()
    assert letters.reasons == Counter(reason for reason, _, _ in bad(count, WILD))
    assert after_mb - before_mb < MOST_GROWTH_MB
    assert ingest.log.stat().st_size < MOST_LOG_BYTES
    late = [(flags.arrived[one.id] - one.data.raised_at).total_seconds() for one in flags.slow_flags()]
    tell(
        f"{count} bad records are {letters.read} dead letters within {took_s:.1f} s; ingest grew from {before_mb:.0f} to"
        f" {after_mb:.0f} MB, its log has {ingest.log.stat().st_size} bytes;"
        f" flags came {max(late):.2f} s late at most; {untrue} untrue"
    )


async def deadlines_passed(bus: Bus, load: Load) -> bool:
    """Whether each site's clock is past the last moment at which a transfer becomes slow that is not over."""
    found = [decode_event(record.value) for record in await read_all(bus, topics.FLOOR_EVENTS)]
    last = max(load.at(what.at_s) for what in load.plan.happenings if isinstance(what.data, events.TransferRequested))
    past = {event.site for event in found if isinstance(event.data, events.Clock) and event.time - last > LIMIT}
    return past == set(SITES)


async def good_ones(bus: Bus, load: Load, connector: Connector, flags: Downstream) -> int:
    """All of them went through, in their order, and every flag is there once, with its own time. How many are untrue.

    A flag on another transfer can only be where its end was not with the broker yet when its seven seconds were over: however
    much stood before it there, who has not read it must not tell the time after it.
    """
    plan = load.plan
    assert isinstance(plan, Plan)
    slow = {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
    records = await read_all(bus, topics.FLOOR_EVENTS)
    truth = Uninterrupted(records)
    facts = [
        fact.data for fact in truth.facts if isinstance(fact.data, FlagRaised) and fact.data.rule == "slow_transfer"
    ]
    told = {flag.subject_id: flag.raised_at for flag in facts}
    await until(lambda: told.keys() <= flags.slow().keys(), "the monitor has told all that is to be told")
    assert flags.slow() == told
    assert {transfer: told[transfer] for transfer in slow} == slow
    others = {transfer: at for transfer, at in told.items() if transfer not in slow}
    assert {transfer: at for transfer, at in others.items() if connector.taken[transfer] < at - HEARD} == {}
    found = [decode_event(record.value) for record in records]
    passed = Passed()
    for site in SITES:
        happened = [event for event in found if event.site == site and not isinstance(event.data, events.Clock)]
        once = [e for e in happened if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
        planned = [(load.at(what.at_s), what.data) for what in plan.happenings if what.site == site]
        assert [(event.time, event.data) for event in once] == planned
    return len(others)


@pytest.mark.parametrize("broker", BOTH, indirect=True)
async def test_bad_records_beside_a_floor_that_works(broker: Broker, bus: Bus, tmp_path: Path, measured: Tell) -> None:
    await flood(broker, bus, tmp_path, measured, SHORT, lasts_s=1)


@pytest.mark.long
async def test_bad_records_and_a_kill_among_them(broker: Broker, bus: Bus, tmp_path: Path, measured: Tell) -> None:
    await flood(broker, bus, tmp_path, measured, SHORT, kill=True)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("broker", ["embedded", APACHE], indirect=True)
async def test_a_million_bad_records(broker: Broker, bus: Bus, tmp_path: Path, measured: Tell) -> None:
    await flood(broker, bus, tmp_path, measured, LONG)
