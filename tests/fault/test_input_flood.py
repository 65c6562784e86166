"""A producer gone wild: bad records by the ten thousand, among them a floor that works. Each bad one is a dead letter, none of
the good ones is missing or has another time, and neither memory nor log grows with them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from shared import events, topics
from shared.bus import MAX_RECORD_BYTES, Bus, Headers, Record
from shared.codec import decode_event
from shared.dedup import Passed
from tests.brokers import APACHE, Broker
from tests.fault.kit import Downstream, Service, connect, create_topics, following, read_all, services
from tests.fault.load import FromTheSwitch, Load, Plan, pouring
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
WILD: Final = "north"  # the one whose partition the bad ones share
LONG: Final = int(os.environ.get("FAULT_BAD_RECORDS", "1000000"))
SHORT: Final = 10_000
MOST_GROWTH_MB: Final = 250
MOST_LOG_BYTES: Final = 200_000

Tell = Callable[[str], None]
HERE: Final[Headers] = (("vendor", b"generic"), ("site", WILD.encode()))
LARGE: Final = MAX_RECORD_BYTES - 1000

# reason -> what earns it
BAD: Final[tuple[tuple[str, bytes, Headers], ...]] = (
    ("not_json", b'{"specversion": "1.0", ', HERE),
    ("not_json", b"\xff\xfe\x00", HERE),
    ("invalid_event", b"{}", HERE),
    ("invalid_event", b"null", HERE),
    ("unknown_type", b'{"specversion":"1.0","id":"1","source":"x","type":"acme.hello"}', HERE),
    ("bad_headers", b"{}", ()),
    ("bad_headers", b"{}", (*HERE, ("seq", b"9" * 40))),
    ("bad_headers", b"{}", (*HERE, ("site", b"\xff"))),
    ("unknown_vendor", b"{}", (*HERE, ("vendor", b"acme"))),
    ("not_ami", b"\x00\x01", (*HERE, ("vendor", b"asterisk"))),
)


def bad(count: int) -> Iterator[tuple[str, bytes, Headers]]:
    """`count` bad records with their reasons; each five thousandth is as large as a record may be."""
    for number in range(count):
        reason, value, headers = BAD[number % len(BAD)]
        yield reason, value.ljust(LARGE) if number % 5_000 == 5 else value, headers


@pytest.fixture(autouse=True)
def only_when_asked_for(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("long") and "long" not in request.config.option.markexpr:
        pytest.skip("takes minutes: pytest -m long")


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
    for number, (_, value, headers) in enumerate(bad(count)):
        await bus.publish(topics.SWITCH_RAW, value, key=WILD, headers=headers)
        if number % 2000 == 1999:
            await bus.flush()
    await bus.close()


async def flood(broker: Broker, bus: Bus, folder: Path, tell: Tell, count: int, *, kill: bool = False) -> None:
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=80, lasts_s=8)
    ingest = Service("ingest", broker, folder, checkpoint_s=1)
    monitor = Service("monitor", broker, folder)
    letters = Letters()
    async with services(ingest, monitor), following(broker, topics.FLOOR_FLAGS) as flags:
        before_mb, began = ingest.resident_mb(), asyncio.get_running_loop().time()
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load, asyncio.TaskGroup() as doing:
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
        after_mb = ingest.resident_mb()
        counted = count + load.poured

        async def all_counted() -> bool:
            return kill or await ingest.metric("pump_records_total") >= counted

        await until(all_counted, "ingest has counted every record")
        assert kill or await ingest.metric("pump_records_total") == counted
        await good_ones(bus, load, plan, flags)
        await ingest.stop()
        await monitor.stop()
    assert letters.reasons == Counter(reason for reason, _, _ in bad(count))
    assert after_mb - before_mb < MOST_GROWTH_MB
    assert ingest.log.stat().st_size < MOST_LOG_BYTES
    late = [(flags.arrived[one.id] - one.data.raised_at).total_seconds() for one in flags.slow_flags()]
    untrue = len(flags.slow().keys() - plan.slow.keys())
    tell(
        f"{count} bad records are {letters.read} dead letters within {took_s:.1f} s; ingest grew from {before_mb:.0f} to"
        f" {after_mb:.0f} MB, its log has {ingest.log.stat().st_size} bytes;"
        f" flags came {max(late):.2f} s late at most; {untrue} untrue"
    )


async def good_ones(bus: Bus, load: Load, plan: Plan, flags: Downstream) -> None:
    """All of them went through, in their order, and every flag is there once, with its own time.

    Another may be flagged only where ingest told of its end when its seven seconds were over.
    """
    flagged = flags.slow()
    assert {transfer: flagged[transfer] for transfer in plan.slow} == {
        transfer: load.at(at_s) for transfer, at_s in plan.slow.items()
    }
    records = await read_all(bus, topics.FLOOR_EVENTS)
    found = [decode_event(record.value) for record in records]
    told = {
        event.data.transfer_id: record.written
        for event, record in zip(found, records, strict=True)
        if isinstance(event.data, events.TransferBridged)
    }
    assert all(told[transfer] > flagged[transfer] for transfer in flagged.keys() - plan.slow.keys())
    passed = Passed()
    for site in SITES:
        happened = [event for event in found if event.site == site and not isinstance(event.data, events.Clock)]
        once = [e for e in happened if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
        planned = [(load.at(what.at_s), what.data) for what in plan.happenings if what.site == site]
        assert [(event.time, event.data) for event in once] == planned


@pytest.mark.long
async def test_bad_records_and_a_kill_among_them(broker: Broker, bus: Bus, tmp_path: Path, measured: Tell) -> None:
    await flood(broker, bus, tmp_path, measured, SHORT, kill=True)


@pytest.mark.long
@pytest.mark.parametrize("broker", [APACHE], indirect=True)
async def test_bad_records_on_apache_kafka(broker: Broker, bus: Bus, tmp_path: Path, measured: Tell) -> None:
    await flood(broker, bus, tmp_path, measured, SHORT)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("broker", ["embedded", APACHE], indirect=True)
async def test_a_million_bad_records(broker: Broker, bus: Bus, tmp_path: Path, measured: Tell) -> None:
    await flood(broker, bus, tmp_path, measured, LONG)
