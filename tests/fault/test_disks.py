"""Full disks below databases and logs: what cannot be written is refused or waits, and is there when there is space again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.bus import Bus
from tests.brokers import Broker
from tests.databases import POSTGRES
from tests.fault.alerting import Floor, alert_file, pour, until_published, without_gap
from tests.fault.desking import SITE, Clerk, away_and_back, nothing_is_lost
from tests.fault.disks import SmallDisk, small_disk
from tests.fault.kit import Service, create_topics, services
from tests.fault.load import Canonical, Plan, pouring
from tests.postgreskit import OwnPostgres, own_postgres
from tests.sinks import HttpSink, listening
from tests.waiting import until

pytestmark = pytest.mark.fault

Tell = Callable[[str], None]
LATER = 9000  # a transfer that is flagged while the disk is full

ON_POSTGRES = pytest.param(
    "postgres", marks=[pytest.mark.postgres, pytest.mark.skipif(not POSTGRES, reason="make test-postgres")]
)


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    with small_disk(128 if "postgres" in request.node.name else 16) as made:
        yield made


class Databases:
    """The two services' databases on one disk."""

    def __init__(self, folder: Path, postgres: OwnPostgres | None) -> None:
        self._postgres = postgres
        sqlite = {name: f"sqlite:///{folder / name}.db" for name in ("monitor", "alerts")}
        self.urls = sqlite if postgres is None else {name: f"{postgres.base}/{name}" for name in sqlite}

    async def ready_again(self) -> None:
        """PostgreSQL ends where it could not go on with its log, as it would with any disk; somebody starts it again."""
        if self._postgres is not None and not self._postgres.server.running():
            await self._postgres.start_again()


@asynccontextmanager
async def databases(kind: str, folder: Path) -> AsyncIterator[Databases]:
    if kind == "sqlite":
        yield Databases(folder, None)
        return
    # nothing but what is written fills the disk, or frees it
    async with own_postgres(folder / "postgres", autovacuum="off", max_wal_size="48MB") as postgres:
        for name in ("monitor", "alerts"):
            await postgres.make_database(name)
        yield Databases(folder, postgres)


@pytest.mark.parametrize("kind", ["sqlite", ON_POSTGRES])
async def test_a_full_disk_costs_the_board_nothing_and_nothing_is_lost_or_half_written(
    kind: str, disk: SmallDisk, broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    """On the disk are the databases of both services; with SQLite their logs, too."""
    await create_topics(broker, partitions=1)
    sink, plan = HttpSink(), Plan([SITE], rate=60, lasts_s=9, transfers_a_second=8)
    logs = disk.folder if kind == "sqlite" else tmp_path
    async with listening(sink), databases(kind, disk.folder) as there:
        file = alert_file(tmp_path, {"ops": sink.url})
        monitor = Service("monitor", broker, logs, db_url=there.urls["monitor"])
        alerts = Service("alerts", broker, logs, db_url=there.urls["alerts"], file=file)
        floor, clerk = Floor(alerts), Clerk(monitor)
        async with services(monitor, alerts), pouring(plan, Canonical(bus, [SITE])) as load:
            await clerk.open_case()
            await until(lambda: sink.received, "somebody is told")
            (first, *_) = await floor.incidents()
            notes: list[str] = []

            async def full() -> None:
                await asyncio.to_thread(disk.fill)

            async def freed() -> None:
                await until(refused, "who takes an incident is told that it was not written", every_s=0.1)
                await pour(bus, [LATER])
                await until(says_so, "readiness of alerts says why", every_s=0.1)
                disk.free()
                await there.ready_again()

            async def refused() -> bool:
                note = secrets.token_hex(400)
                answer = await floor.post(f"/incidents/{first['id']}/notes", by="Li Wei", note=note)
                assert answer.status_code in (201, 503), answer.text
                if answer.status_code == 201:
                    notes.append(note)
                return answer.status_code == 503 and answer.json()["detail"].endswith("nothing was changed, try again")

            async def says_so() -> bool:
                reason = await alerts.readiness()
                return any(word in reason for word in ("full", "No space", "database"))

            await away_and_back(clerk, full, freed)
            await until(alerts.is_ready, "alerts are well again, too", every_s=0.1)
            figures = await nothing_is_lost(monitor, there.urls["monitor"], load, bus)
            await clerk.everything_is_there()

            async def all_open() -> bool:
                return set(await floor.subjects()) >= {*plan.slow, f"t{LATER}"}

            await until(all_open, "each flag is an incident", every_s=0.2)
            found = await floor.subjects()
            assert dict(found) == dict.fromkeys([*plan.slow, f"t{LATER}"], 1)
            await until(lambda: floor.all_sent(len(found)), "all are told", every_s=0.2)
            doubtful = [one for one in await floor.messages() if one["maybe_before"]]
            assert len(without_gap(await until_published(there.urls["alerts"], bus))) == len(found)
            timeline = (await alerts.get(f"/api/v1/incidents/{first['id']}"))["timeline"]
            assert [line["note"] for line in timeline if line["kind"] == "note"] == notes
            await clerk.close()
            await monitor.stop()
            await alerts.stop()
    assert len(found) <= len(sink.received)
    assert len(sink.received) - len(found) <= len(doubtful), "what came twice says that it may have"
    measured(f"{figures}; {clerk.refused} writes refused; {len(sink.received)} messages for {len(found)} incidents")
