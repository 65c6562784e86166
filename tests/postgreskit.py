"""A PostgreSQL of a test's own, to be stopped, killed, filled up, and to be taken rights from."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import make_url

from tests.waiting import PATIENCE_S
from tools.real_postgres import Postgres, find_programs
from tools.servers import Failed, free_port

APP: Final = "app"  # the user of a service: no superuser, so that limits and rights count for it


class OwnPostgres:
    """The server in `folder`, and its one database as the user `APP` sees it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.server = Postgres(folder, find_programs(), free_port(), **settings)
        self.url = make_url(self.server.url).set(username=APP, password="app").render_as_string(hide_password=False)
        self.base = self.url.rpartition("/")[0]

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)

    async def make_user(self) -> None:
        await self.tell(f"CREATE ROLE {APP} LOGIN PASSWORD 'app'", f"GRANT ALL ON SCHEMA public TO {APP}")

    async def make_database(self, name: str) -> None:
        await self.tell(f"CREATE DATABASE {name} OWNER {APP}")

    async def tell(self, *statements: str) -> None:
        """As the administrator."""
        async with self.connected() as connection:
            for statement in statements:
                await connection.execute(statement)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """A connection of the administrator, which what is done to `APP` does not touch."""
        connection = await asyncpg.connect(self.server.url, timeout=PATIENCE_S)
        try:
            await connection.execute("SET default_transaction_read_only = off")
            yield connection
        finally:
            await connection.close()

    async def stop(self, how: signal.Signals) -> None:
        """SIGINT: fast; SIGQUIT: immediate, without a checkpoint; SIGKILL: as if the machine took it."""
        if how == signal.SIGKILL:
            await asyncio.to_thread(self.server.kill)
        else:
            self.server.signal(how)
            await asyncio.to_thread(self.server.wait)

    async def start_again(self) -> None:
        """With the data that it has. After a kill its children take a moment to notice, and must be gone before it may start."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await asyncio.to_thread(self.server.start)  # type: ignore[return-value]
            except Failed:
                if time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.2)

    async def throw_out(self) -> None:
        """End every connection of the service."""
        await self.tell(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{APP}'")


@asynccontextmanager
async def own_postgres(folder: Path, **settings: str) -> AsyncIterator[OwnPostgres]:
    """Started, with its user, and gone at the end."""
    made = OwnPostgres(folder, **settings)
    try:
        await made.start()
        await made.make_user()
        yield made
    finally:
        with contextlib.suppress(Exception):
            await asyncio.to_thread(made.server.kill)
