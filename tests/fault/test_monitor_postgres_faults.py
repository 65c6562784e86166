"""The monitor on PostgreSQL while the server is restarted, killed, read-only, full of connections, locked, or gives no rights."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from shared.bus import Bus
from tests.brokers import Broker
from tests.databases import POSTGRES
from tests.fault.desking import SITE, Clerk, away_and_back, nothing_is_lost
from tests.fault.kit import Service, create_topics, services
from tests.fault.load import Canonical, Plan, pouring
from tests.postgreskit import APP, OwnPostgres, own_postgres

pytestmark = [
    pytest.mark.fault,
    pytest.mark.postgres,
    pytest.mark.skipif(not POSTGRES, reason="make test-postgres"),
]

Tell = Callable[[str], None]


@pytest.fixture
async def postgres() -> AsyncIterator[OwnPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="floorwatch-postgres-"))  # the user it runs as has a way in there
    try:
        async with own_postgres(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_whatever_the_database_does_the_board_goes_on_and_no_record_is_lost(
    postgres: OwnPostgres, broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=1)
    monitor = Service("monitor", broker, tmp_path, db_url=postgres.url)
    plan = Plan([SITE], rate=100, lasts_s=10, transfers_a_second=10)
    async with services(monitor), pouring(plan, Canonical(bus, [SITE])) as load:
        clerk = Clerk(monitor)
        await clerk.open_case()
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            await away_and_back(clerk, partial(postgres.stop, how), postgres.start_again)

        async def read_only(yes: bool) -> None:
            await postgres.tell(f"ALTER ROLE {APP} SET default_transaction_read_only = {'on' if yes else 'off'}")
            await postgres.throw_out()

        await away_and_back(clerk, partial(read_only, True), partial(read_only, False))

        async def connections(most: int) -> None:
            await postgres.tell(f"ALTER ROLE {APP} CONNECTION LIMIT {most}")
            await postgres.throw_out()

        await away_and_back(clerk, partial(connections, 0), partial(connections, -1))

        async def rights(word: str) -> None:
            await postgres.tell(
                f"{word} ALL ON ALL TABLES IN SCHEMA public {'TO' if word == 'GRANT' else 'FROM'} {APP}"
            )

        await away_and_back(clerk, partial(rights, "REVOKE"), partial(rights, "GRANT"))

        async with postgres.connected() as other, other.transaction():
            await other.execute("LOCK TABLE transfers, cases, preferences")
            ends = await asyncio.gather(*(clerk.is_refused() for _ in range(4)))
            assert all(ends)
        await clerk.writes()

        told = await nothing_is_lost(monitor, postgres.url, load, bus)
        await clerk.everything_is_there()
        await clerk.close()
        await monitor.stop()
    measured(f"{told}; {clerk.refused} writes refused, {clerk.version + len(clerk.kept)} taken")
