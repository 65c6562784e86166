"""Ingest is killed in mid-stream: positions repeat, nothing is doubled or lost, and the clock goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from shared import events, topics
from shared.bus import Bus
from shared.codec import decode_event
from shared.dedup import Passed
from tests.brokers import Broker
from tests.fault.kit import Service, create_topics, following, read_all, services
from tests.fault.load import FromTheSwitch, Plan, pouring
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
RATE: Final = 800.0

Tell = Callable[[str], None]


async def test_kill_9_of_ingest_in_mid_stream(broker: Broker, bus: Bus, tmp_path: Path, measured: Tell) -> None:
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=RATE, lasts_s=7)
    ingest = Service("ingest", broker, tmp_path, checkpoint_s=1)
    monitor = Service("monitor", broker, tmp_path)
    async with services(ingest, monitor), following(broker, topics.FLOOR_FLAGS) as flags:
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load:
            took = []
            for second in (2.0, 4.5):
                await load.until(max(second, load.now_s() + 0.5))
                await ingest.kill()
                took.append(await ingest.start())
            await load.done.wait()

            async def all_flagged() -> bool:
                return len(flags.slow()) >= len(plan.slow)

            await until(all_flagged, "every slow transfer is flagged, so the marks go on")
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
        found = [decode_event(record.value) for record in await read_all(bus, topics.FLOOR_EVENTS)]
        read_s = load.now_s()
        await ingest.stop()
        await monitor.stop()
    passed = Passed()
    read = 0
    for site in SITES:
        happened = [event for event in found if event.site == site and not isinstance(event.data, events.Clock)]
        read += len(happened)
        once = [e for e in happened if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
        planned = [(load.at(what.at_s), what.data) for what in plan.happenings if what.site == site]
        assert [(event.time, event.data) for event in once] == planned
        assert len({event.id for event in once}) == len(once)
        marks = [event.time for event in found if event.site == site and isinstance(event.data, events.Clock)]
        assert max(marks) > load.at(plan.lasts_s), "the clock goes on after the kills"
        assert max(marks) <= load.at(read_s + 1)
    measured(
        f"{load.poured} events, {read - load.poured} of them published twice; ready after {took[0]:.1f}, {took[1]:.1f} s"
    )
