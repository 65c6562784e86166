"""Databases for tests: SQLite always, PostgreSQL where TEST_POSTGRES_URL names a server in which databases may be created."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db import Database
from shared.migrate import upgrade

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "")
BOTH = ["sqlite", *([pytest.param("postgres", marks=pytest.mark.postgres)] if POSTGRES else [])]


@asynccontextmanager
async def empty_database(kind: str, folder: Path) -> AsyncIterator[Database]:
    """A database without a table, `kind` one of BOTH."""
    if kind == "sqlite":
        database = Database(f"sqlite:///{folder / 'test.db'}")
        yield database
        await database.close()
        return
    name = f"floorwatch_test_{uuid.uuid4().hex[:12]}"
    url = make_url(POSTGRES).set(drivername="postgresql+asyncpg")
    server = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    database = Database(url.set(database=name).render_as_string(hide_password=False))
    yield database
    await database.close()
    async with server.connect() as connection:
        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await server.dispose()


_MIGRATED: dict[Path, bytes] = {}  # by the folder of the migrations, the file that they make of nothing


async def migrate(database: Database, scripts: Path) -> None:
    """Bring a database to the newest version of its tables.

    Where SQLite has no file yet it gets a copy of one that this process migrated before: the migrations take a hundred times
    as long as the copy. What migrating itself does is for `upgrade` to be tested with.
    """
    if _has_no_file(database):
        if scripts not in _MIGRATED:
            _MIGRATED[scripts] = await _migrated_from_nothing(scripts)
        _write(database, _MIGRATED[scripts])
    else:
        await upgrade(database, scripts)


def _has_no_file(database: Database) -> bool:
    return database.url.get_backend_name() == "sqlite" and not Path(database.url.database or "").exists()


def _write(database: Database, content: bytes) -> None:
    Path(database.url.database or "").write_bytes(content)


async def _migrated_from_nothing(scripts: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "migrated.db"
        database = Database(f"sqlite:///{file}")
        await upgrade(database, scripts)
        await database.close()  # the last to close moves what is in the write-ahead log into the file
        return file.read_bytes()
