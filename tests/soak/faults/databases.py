"""Databases that are held, full, killed and away."""

from __future__ import annotations

import asyncio
import signal
from random import Random

from tests.soak.faults.registry import fault
from tests.soak.stage import Stage


def _of_databases(name: str) -> None:
    @fault(f"lock_{name}_db", f"somebody holds the database of {name} locked for 4 to 8 s")
    async def lock(stage: Stage, chance: Random) -> None:
        async with stage.databases.locked(name):
            await asyncio.sleep(chance.uniform(4, 8))


for _name in ("alerts", "monitor"):
    _of_databases(_name)


@fault("full_disk", "not a byte is left on the disk of all databases for 4 to 8 s", only="small disk")
async def full_disk(stage: Stage, chance: Random) -> None:
    disk = stage.databases.disk
    assert disk is not None
    await asyncio.to_thread(disk.fill)
    try:
        await asyncio.sleep(chance.uniform(4, 8))
    finally:
        disk.free()
    # PostgreSQL ends where it could not go on with its log; somebody starts it again
    postgres = stage.databases.postgres
    if postgres is not None and not postgres.server.running():
        await postgres.start_again()


@fault("kill_postgres", "kill -9 of PostgreSQL, and started again at once", only="postgres")
async def kill_postgres(stage: Stage, chance: Random) -> None:
    await _away(stage, signal.SIGKILL, 0)


@fault("postgres_away", "kill -9 of PostgreSQL, started again after 8 to 15 s", only="postgres")
async def postgres_away(stage: Stage, chance: Random) -> None:
    await _away(stage, signal.SIGKILL, chance.uniform(8, 15))


@fault("restart_postgres", "PostgreSQL ends all connections and itself, and is started again", only="postgres")
async def restart_postgres(stage: Stage, chance: Random) -> None:
    await _away(stage, signal.SIGINT, 0)


async def _away(stage: Stage, how: signal.Signals, seconds: float) -> None:
    postgres = stage.databases.postgres
    assert postgres is not None
    await postgres.stop(how)
    await asyncio.sleep(seconds)
    await postgres.start_again()
