"""The way from the alerts service to PostgreSQL breaks off at random bytes, then falls silent: nobody is refused, or told."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from shared.bus import Bus
from tests.brokers import Broker
from tests.databases import POSTGRES, empty_database, through
from tests.fault.alerting import (
    Floor,
    alert_file,
    expected,
    over_lease,
    pour,
    told_by_webhook,
    until_published,
    without_gap,
)
from tests.fault.kit import Service, create_topics, services
from tests.netkit import proxied
from tests.sinks import HttpSink, listening
from tests.waiting import until

pytestmark = [
    pytest.mark.fault,
    pytest.mark.postgres,
    pytest.mark.skipif(not POSTGRES, reason="make test-postgres"),
]


async def test_a_way_to_the_database_that_breaks_off_and_falls_silent_loses_nothing(
    broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    await create_topics(broker, partitions=1)
    sink = HttpSink()
    server = make_url(POSTGRES).port or 5432
    async with listening(sink), empty_database("postgres", tmp_path) as database, proxied(server, seed=31) as way:
        far = through(database.url, way.port)
        alerts = Service("alerts", broker, tmp_path, db_url=far, file=alert_file(tmp_path, {"ops": sink.url}))
        floor = Floor(alerts)

        async def there(number: int) -> bool:
            alerts.must_run()
            return await floor.subjects() == expected(range(number))

        async def lost() -> bool:
            alerts.must_run()
            reason = await alerts.readiness()
            return "database" in reason

        async with services(alerts):
            await pour(bus, range(10))
            await until(lambda: floor.all_sent(10), "all are told", every_s=0.1)
            way.up.reset_after = way.down.reset_after = (500, 20_000)
            way.reset()
            await pour(bus, range(10, 20))
            await until(lambda: way.resets > 5, "it broke off again and again")
            way.restore()
            await until(lambda: there(20), "each flag is an incident", every_s=0.1)
            way.go_silent()
            await pour(bus, range(20, 40))
            await until(lost, "readiness names the database", every_s=0.1)
            assert (await floor.post("/incidents/1/acknowledge", by="Li Wei")).status_code == 503
            way.restore()
            await until(alerts.is_ready, "it is well again", every_s=0.1)
            await until(lambda: there(40), "each flag is an incident", every_s=0.1)
            await over_lease(database)
            await until(lambda: floor.all_sent(40), "all are told", every_s=0.1)
            doubtful = {one["about"][0]["number"] for one in await floor.messages() if one["maybe_before"]}
            numbers = {one["id"]: one["subject_id"] for one in await floor.incidents()}
            assert (
                len(without_gap(await until_published(database.url.render_as_string(hide_password=False), bus))) == 40
            )
            await alerts.stop()
    told = told_by_webhook(sink)
    assert set(told) == set(expected(range(40)))
    twice = {name for name, times in told.items() if times > 1}
    assert twice <= {numbers[number] for number in doubtful}, "what came twice says that it may have"
    assert max(told.values()) <= 2
