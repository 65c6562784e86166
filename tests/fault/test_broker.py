"""A broker that goes and comes back with its records: connector, ingest, two monitors and alerts all find back by themselves."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from shared import events, topics
from shared.bus import Bus
from shared.codec import decode_event
from shared.dedup import Passed
from tests.brokers import APACHE, Broker
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
from tests.fault.load import FromTheSwitch, Plan, pouring
from tests.fault.test_alerts import incidents
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
RATE: Final = 500.0
AWAY_S: Final = float(os.environ.get("FAULT_AWAY_S", "15"))  # 60 for the long variant

Tell = Callable[[str], None]


@pytest.mark.parametrize("broker", [APACHE], indirect=True)
@pytest.mark.parametrize("away_s", [0.0, AWAY_S], ids=["restarted", "away"])
async def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
    away_s: float, broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=RATE, lasts_s=away_s + 10)
    monitors = [Service("monitor", broker, tmp_path, name=name, checkpoint_s=2) for name in "ab"]
    ingest = Service("ingest", broker, tmp_path, checkpoint_s=2)
    database = f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}"
    alerts = Service("alerts", broker, tmp_path, db_url=database)
    everybody = [*monitors, ingest, alerts]
    async with services(*everybody), following(broker, topics.FLOOR_FLAGS) as flags:
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load:
            await load.until(3)
            before = [one.resident_mb() for one in everybody]
            broker.kill()
            for one in everybody if away_s else []:
                await until(lambda one=one: says_so(one), f"{one.kind} says that the broker is away")  # type: ignore[misc]
            await load.until(3 + away_s)
            broker.start()
            back_s = load.now_s()
            for one in everybody:
                await until(one.is_ready, f"{one.kind} is ready again")
            ready_s = load.now_s() - back_s
            await load.done.wait()

            async def all_there() -> bool:
                found = await incidents(alerts)
                return len(found) >= len(plan.slow) and all(one["ended"] for one in found)

            await until(all_there, "every slow transfer is an incident, and ended", 90)
        after = [one.resident_mb() for one in everybody]
        found = await incidents(alerts)
        await alerts.stop()
        await ingest.stop()
        truth = Uninterrupted(await read_all(bus, topics.FLOOR_EVENTS))

        async def all_read() -> bool:
            return bool(await last_checkpoints(bus, "monitor", truth.offsets))

        await until(all_read, "a monitor has read the last mark")
        for one in monitors:
            await one.stop()
    happened = [decode_event(record.value) for record in await read_all(bus, topics.FLOOR_EVENTS)]
    passed = Passed()
    for site in SITES:
        of_site = [event for event in happened if event.site == site and not isinstance(event.data, events.Clock)]
        once = [e for e in of_site if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
        assert [(event.time, event.data) for event in once] == [
            (load.at(what.at_s), what.data) for what in plan.happenings if what.site == site
        ]
    assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
    assert Counter(one["subject_id"] for one in found) == Counter(plan.slow.keys())
    ended = await last_checkpoints(bus, "monitor", truth.offsets)
    assert len(ended) >= 2
    assert all(by_site(one.state) == truth.state() for one in ended)
    assert all(now < then + 150 for then, now in zip(before, after, strict=True)), (before, after)
    measured(f"away for {away_s:.0f} s, everybody ready {ready_s:.1f} s after it took connections again")


async def says_so(service: Service) -> bool:
    service.must_run()
    return "Kafka" in await service.readiness()
