"""The alerts service on PostgreSQL: the server gone for a while, and two instances under load of which one is killed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.alerts.app import MIGRATIONS
from shared import topics
from shared.bus import Bus
from shared.memorybus import MemoryBus
from tests import alertskit
from tests.brokers import Broker
from tests.databases import POSTGRES, migrated_database
from tests.fault.alerting import (
    Floor,
    alert_file,
    asked,
    changed,
    expected,
    flags,
    over_lease,
    pour,
    told_by_webhook,
    until_published,
    whose,
    without_gap,
)
from tests.fault.kit import Service, create_topics, services
from tests.sinks import HttpSink, listening
from tests.waiting import PATIENCE_S, until
from tools.real_postgres import Postgres, find_programs
from tools.servers import free_port

pytestmark = [
    pytest.mark.fault,
    pytest.mark.postgres,
    pytest.mark.skipif(not POSTGRES, reason="make test-postgres"),
]


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server of its own, which may be stopped and started."""
    folder = Path(tempfile.mkdtemp(prefix="floorwatch-postgres-"))  # the user it runs as has a way in there
    server = Postgres(folder, find_programs(), free_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_server_that_is_stopped_and_started_again_loses_and_repeats_nothing(
    postgres: Postgres, broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    await create_topics(broker, partitions=1)
    sink = HttpSink()
    async with listening(sink):
        alerts = Service("alerts", broker, tmp_path, db_url=postgres.url, file=alert_file(tmp_path, {"ops": sink.url}))
        floor = Floor(alerts)
        async with services(alerts):
            await pour(bus, range(10))
            await until(lambda: floor.all_sent(10), "all are told", every_s=0.05)
            sink.answering.clear()
            await pour(bus, [10])
            await until(lambda: len(sink.received) == 11, "one is under way")
            await asyncio.to_thread(postgres.stop)
            sink.answering.set()  # its answer cannot be written down
            await pour(bus, range(11, 40))

            async def says_so() -> bool:
                reason = await alerts.readiness()
                return "flags" in reason or "database" in reason

            await until(says_so, "readiness names the database", every_s=0.1)

            async def lost() -> bool:
                status = await alerts.get("/api/v1/status")
                return status["state"] == "lost" and "database" in status["reason"]

            await until(lost, "the page says so, too", every_s=0.1)
            assert (await floor.post("/incidents/1/acknowledge", by="Li Wei")).status_code == 503
            await asyncio.to_thread(postgres.start)
            await until(alerts.is_ready, "it is well again", every_s=0.1)

            async def all_there() -> bool:
                return await floor.subjects() == expected(range(40))

            await until(all_there, "each flag is an incident", every_s=0.1)
            async with asked(postgres.url) as database:
                await over_lease(database)
            await until(lambda: floor.all_sent(40), "all are told", every_s=0.1)
            messages = await floor.messages()
            assert len(without_gap(await until_published(postgres.url, bus))) == 40
            await alerts.stop()
    told = told_by_webhook(sink)
    assert set(told) == set(expected(range(40)))
    doubtful = [one for one in messages if one["maybe_before"]]
    assert sum(told.values()) - 40 <= len(doubtful) <= 1, "only the one whose answer nobody could write down came again"
    assert {name for name, times in told.items() if times > 1} <= {"t10"}


async def test_of_two_instances_under_load_one_is_killed_and_each_incident_is_told_once(
    postgres: Postgres, broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    await create_topics(broker, partitions=4)
    sink = HttpSink()
    async with listening(sink):
        file = alert_file(tmp_path, {"ops": sink.url})
        pair = [Service("alerts", broker, tmp_path, name=name, db_url=postgres.url, file=file) for name in "ab"]
        async with services(*pair):
            pouring = asyncio.create_task(pour(bus, range(300)))
            await until(lambda: len(sink.received) >= 60, "they are at it")
            sink.answering.clear()
            await until(lambda: sink.unanswered, "a message waits for its answer, or one of each instance")
            sending = whose(min(sink.unanswered), pair)
            await sending.kill()
            floor = Floor(next(one for one in pair if one is not sending))
            assert len(sink.received) < 300, "it was killed in the middle"
            sink.answering.set()
            await pouring

            async def all_there() -> bool:
                return await floor.subjects() == expected(range(300))

            await until(all_there, "each flag is an incident", every_s=0.1)

            async def only_leased() -> bool:
                waiting = [one for one in await floor.messages() if one["state"] != "sent"]
                return len(waiting) == 1 and len(set(told_by_webhook(sink))) == 300

            await until(only_leased, "what is left is what the killed one was sending", every_s=0.1)
            async with asked(postgres.url) as database:
                await over_lease(database)
            await until(lambda: floor.all_sent(300), "all are told", every_s=0.1)
            doubtful = {one["about"][0]["number"] for one in await floor.messages() if one["maybe_before"]}
            numbers = {one["id"]: one["subject_id"] for one in await floor.incidents()}
            assert len(without_gap(await until_published(postgres.url, bus))) == 300
            await floor.service.stop()
    told = told_by_webhook(sink)
    assert set(told) == set(expected(range(300)))
    twice = {name for name, times in told.items() if times > 1}
    assert len(doubtful) == 1, "an instance sends one message at a time of a channel"
    assert twice == {numbers[number] for number in doubtful}, (
        "what came twice says that it may have, and nothing else does"
    )
    assert max(told.values()) == 2


async def test_of_two_instances_each_is_restarted_under_load_and_each_incident_is_told_once(
    postgres: Postgres, broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    """As an upgrade does it, one after the other: whoever is asked to end waits for the answer to what it was sending."""
    await create_topics(broker, partitions=4)
    sink = HttpSink()
    async with listening(sink):
        file = alert_file(tmp_path, {"ops": sink.url})
        pair = [
            Service("alerts", broker, tmp_path, name=name, db_url=postgres.url, file=file, shutdown_s=60)
            for name in "ab"
        ]
        async with services(*pair):
            for number, one in enumerate(pair):
                sink.answering.clear()
                await pour(bus, range(100 * number, 100 * number + 100))
                await until(lambda: sink.unanswered, "a message waits for its answer, or one of each instance")
                assert one.process is not None
                one.process.terminate()
                await until(lambda one=one: "asked to end" in one.log.read_text(), "it was asked")  # type: ignore[misc]
                sink.answering.set()
                assert await asyncio.wait_for(one.process.wait(), PATIENCE_S) == 0, one.log.read_text()[-4000:]
                await one.start()
            floor = Floor(pair[0])
            await until(lambda: floor.all_sent(200), "all are told", every_s=0.1)
            assert await floor.subjects() == expected(range(200))
            doubtful = [one for one in await floor.messages() if one["maybe_before"]]
            assert len(without_gap(await until_published(postgres.url, bus))) == 200
            for one in pair:
                await one.stop()
    assert told_by_webhook(sink) == expected(range(200))
    assert doubtful == [], "nobody was told that it may be a copy"


async def test_rights_and_tables_that_others_take_away_cost_no_flag_and_do_not_end_the_service(tmp_path: Path) -> None:
    """Each flag was put aside as one that cannot be stored, and then the service ended."""
    bus = MemoryBus()
    await bus.create(alertskit.TOPICS)
    async with migrated_database("postgres", tmp_path, MIGRATIONS) as owner:
        role = f"r_{owner.url.database}"
        await changed(owner, f"CREATE ROLE {role} LOGIN PASSWORD 'hush'")
        rights = f"ALL ON ALL TABLES IN SCHEMA public {{}} {role}"
        await changed(owner, f"GRANT {rights.format('TO')}")
        await changed(owner, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        url = owner.url.set(username=role, password="hush").render_as_string(hide_password=False)
        async with asked(url) as database, alertskit.running(bus, database) as alerts:

            async def there(number: int) -> bool:
                return Counter(one["subject_id"] for one in await alerts.incidents()) == expected(range(number))

            async def says(words: str) -> bool:
                checks = (await alerts.client.get("/readyz")).json()["checks"]
                return words in str(checks["flags"]) and "postgresql" not in str(checks["flags"])

            await alertskit.publish(bus, *flags(range(5)))
            await until(lambda: there(5), "all are incidents")
            await changed(owner, f"REVOKE {rights.format('FROM')}")
            await alertskit.publish(bus, *flags(range(5, 10)))
            await until(lambda: says("permission denied"), "readiness says it, and not where")
            problem = await alerts.post("/incidents/1/acknowledge", {"by": "Li Wei"}, 503)
            assert problem["detail"].endswith("; nothing was changed, try again")
            await changed(owner, f"GRANT {rights.format('TO')}")
            await until(lambda: there(10), "those that waited, too")
            await changed(owner, "ALTER TABLE flags RENAME TO away")
            await alertskit.publish(bus, *flags(range(10, 15)))
            await until(lambda: says("does not exist"), "readiness says it")
            await changed(owner, "ALTER TABLE away RENAME TO flags")
            await until(lambda: there(15), "all are incidents, once")
            assert bus.records(topics.SWITCH_DEAD_LETTER) == []
        await changed(owner, f"DROP OWNED BY {role}")
        await changed(owner, f"DROP ROLE {role}")
