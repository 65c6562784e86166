"""The databases of a soak: alerts' own, and the one that both monitors share. SQLite, or a PostgreSQL of its own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg

from tests.fault.alerting import locked as locked_file
from tests.fault.disks import SmallDisk, mounted
from tests.postgreskit import OwnPostgres, own_postgres

NAMES: Final = ("alerts", "monitor")
DISK_MB: Final = {"sqlite": 256, "postgres": 512}  # an hour at 150 events a second is some 150 MB
_LOCK: Final = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"


class Databases:
    """Those of `NAMES`. `disk`: the small one that they are on, where there is one; `postgres`: None with SQLite."""

    def __init__(self, folder: Path, disk: SmallDisk | None, postgres: OwnPostgres | None) -> None:
        self.folder = folder
        self.disk = disk
        self.postgres = postgres

    def url(self, name: str) -> str:
        """As a service is told it."""
        if self.postgres is not None:
            return f"{self.postgres.base}/{name}"
        return f"sqlite+aiosqlite:///{self.folder / f'{name}.db'}"

    @contextlib.asynccontextmanager
    async def locked(self, name: str) -> AsyncIterator[None]:
        """Somebody else holds what a service needs to write."""
        if self.postgres is None:
            with locked_file(self.folder / f"{name}.db"):
                yield
            return
        connection = await self._holding(f"{self.postgres.server.url.rpartition('/')[0]}/{name}")
        try:
            yield
        finally:
            await connection.close()  # and with it the transaction ends

    async def _holding(self, url: str) -> asyncpg.Connection:
        """A connection whose transaction holds every table. A deadlock with the service may end on either side: then again."""
        while True:
            connection = await asyncpg.connect(url)
            try:
                tables = await connection.fetchval(_LOCK)
                await connection.execute(f"BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
                return connection
            except asyncpg.DeadlockDetectedError:
                await connection.close()
                await asyncio.sleep(0.1)  # between two attempts at another process's locks
            except BaseException:
                connection.terminate()
                raise

    def keep(self, folder: Path) -> None:
        """Copy what would go with the disk, for whoever looks into it afterwards."""
        for file in self.folder.glob("*.db*"):
            with contextlib.suppress(OSError):
                shutil.copy2(file, folder)


@contextlib.asynccontextmanager
async def databases(kind: str, folder: Path, *, small: bool) -> AsyncIterator[Databases]:
    """`kind`: "sqlite" or "postgres"; `small`: on a disk that can be filled. Raises Unavailable, Failed."""
    async with contextlib.AsyncExitStack() as stack:
        disk = stack.enter_context(mounted(DISK_MB[kind])) if small else None
        if kind == "sqlite":
            made = Databases(disk.folder if disk is not None else folder, disk, None)
            if disk is not None:
                stack.callback(made.keep, folder)
            yield made
            return
        # not in our folder, where the user that PostgreSQL runs as has no way in
        place = disk.folder if disk is not None else Path(tempfile.mkdtemp(prefix="floorwatch-soak-postgres-"))
        if disk is None:
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            place.chmod(0o755)
        settings = {"max_wal_size": "48MB"} if small else {}
        postgres = await stack.enter_async_context(own_postgres(place / "postgres", **settings))
        for name in NAMES:
            await postgres.make_database(name)
        yield Databases(place, disk, postgres)
