"""Two monitors say everything twice, and the alerts service is killed in mid-stream: each incident is there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from shared import topics
from shared.bus import Bus
from tests.brokers import Broker
from tests.fault.kit import Service, create_topics, following, services
from tests.fault.load import Canonical, Plan, pouring
from tests.sinks import HttpSink, listening
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
RATE: Final = 300.0

Tell = Callable[[str], None]


async def incidents(alerts: Service) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        page = await alerts.get(f"/api/v1/incidents?rule=slow_transfer&limit=500&cursor={cursor}")
        found += page["incidents"]
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return found


async def test_two_monitors_and_a_kill_9_of_alerts_open_each_incident_once(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=RATE, lasts_s=5)
    monitors = [Service("monitor", broker, tmp_path, name=name) for name in "ab"]
    sink = HttpSink()
    async with listening(sink):
        database = f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}"
        alerts = Service("alerts", broker, tmp_path, db_url=database, notify_urls=sink.url)
        async with services(*monitors, alerts), following(broker, topics.FLOOR_FLAGS) as flags:
            async with pouring(plan, Canonical(bus, SITES)) as load:
                for second in (1.0, 3.0):
                    await load.until(max(second, load.now_s() + 0.5))
                    await alerts.kill()
                    await alerts.start()
                await load.done.wait()

                async def all_there() -> bool:
                    found = await incidents(alerts)
                    return len(found) >= len(plan.slow) and all(one["ended"] for one in found)

                await until(all_there, "every slow transfer is an incident, and ended")
            found = await incidents(alerts)
            assert flags.slow().keys() == plan.slow.keys()
            assert flags.again, "both monitors publish, so there was something to drop"
            assert Counter(one["subject_id"] for one in found) == Counter(plan.slow.keys())
            assert {one["flags"] for one in found} == {1}
            assert {one["openings"] for one in found} == {1}
            await alerts.stop()
            for monitor in monitors:
                await monitor.stop()
    measured(f"{len(found)} incidents from {flags.read} flag records")
