"""Databases for tests: SQLite always, PostgreSQL where TEST_POSTGRES_URL names a server in which databases may be created."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from shared.db import Database
from shared.migrate import upgrade

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "")
BOTH = ["sqlite", *([pytest.param("postgres", marks=pytest.mark.postgres)] if POSTGRES else [])]


def examples(number: int) -> int:
    """How many examples of a property to try: each takes so long on PostgreSQL that a third of them must do there."""
    return -(-number // 3) if POSTGRES else number


@asynccontextmanager
async def empty_database(kind: str, folder: Path) -> AsyncIterator[Database]:
    """A database without a table, `kind` one of BOTH."""
    if kind == "sqlite":
        database = Database(f"sqlite:///{folder / 'test.db'}")
        yield database
        await database.close()
        return
    async with _in_postgres() as name:
        database = Database(_postgres(name))
        yield database
        await database.close()


@asynccontextmanager
async def migrated_database(kind: str, folder: Path, scripts: Path) -> AsyncIterator[Database]:
    """A database with the newest version of the tables that the migrations in `scripts` make, `kind` one of BOTH.

    It is a copy of one that this process migrated before: the migrations take many times as long as the copy. What migrating
    itself does is for `upgrade` to be tested with.
    """
    if kind == "sqlite":
        async with empty_database(kind, folder) as database:
            await migrate(database, scripts)
            yield database
        return
    async with _in_postgres(await _template(scripts)) as name:
        database = Database(_postgres(name))
        yield database
        await database.close()


@asynccontextmanager
async def own_database(kind: str, scripts: Path) -> AsyncIterator[Database]:
    """Like `migrated_database`, in a folder of its own: for one of many examples."""
    with tempfile.TemporaryDirectory() as folder:
        async with migrated_database(kind, Path(folder), scripts) as database:
            yield database


@contextmanager
def migrated_url(kind: str, folder: Path, scripts: Path) -> Iterator[str]:
    """The URL of a `migrated_database`, for what runs an event loop of its own each time: a command, an example."""
    with asyncio.Runner() as runner:
        made = AsyncExitStack()
        database = runner.run(made.enter_async_context(migrated_database(kind, folder, scripts)))
        runner.run(database.close())
        try:
            yield spelled(database.url)
        finally:
            runner.run(made.aclose())


def spelled(url: URL) -> str:
    """With its password, as a setting has it."""
    return url.render_as_string(hide_password=False)


def through(url: URL, port: int) -> str:
    """The same database, by whatever listens at a port of this machine."""
    return spelled(url.set(drivername="postgresql", host="127.0.0.1", port=port))


@asynccontextmanager
async def backup_of(database: Database, folder: Path) -> AsyncIterator[Database]:
    """A copy of a database as it is now, which nobody else may be using."""
    if database.url.get_backend_name() == "sqlite":
        file = folder / f"backup-{uuid.uuid4().hex[:12]}.db"
        with contextlib.closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(file),))
        copy = Database(f"sqlite:///{file}")
        yield copy
        await copy.close()
        return
    await database.close()  # it connects again when it is asked
    async with _in_postgres(str(database.url.database)) as name:
        copy = Database(_postgres(name))
        yield copy
        await copy.close()


# ---------------------------------------------------------------- PostgreSQL

_TEMPLATES: dict[Path, str] = {}  # by the folder of the migrations, the database that they were run in


def _postgres(name: str) -> str:
    return spelled(make_url(POSTGRES).set(database=name))


@asynccontextmanager
async def _in_postgres(template: str = "template1") -> AsyncIterator[str]:
    """The name of a new database that is like `template`."""
    name = f"floorwatch_test_{uuid.uuid4().hex[:12]}"
    await _tell_postgres(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield name
    finally:
        await _tell_postgres(f"DROP DATABASE {name} WITH (FORCE)")


async def _template(scripts: Path) -> str:
    if scripts not in _TEMPLATES:
        name = f"floorwatch_template_{uuid.uuid4().hex[:12]}"
        await _tell_postgres(f"CREATE DATABASE {name}")
        _TEMPLATES[scripts] = name
        database = Database(_postgres(name))
        await upgrade(database, scripts)
        await database.close()  # nobody may be connected to what is copied
    return _TEMPLATES[scripts]


async def drop_templates() -> None:
    """What was kept to be copied goes with the last test."""
    while _TEMPLATES:
        _, name = _TEMPLATES.popitem()
        await _tell_postgres(f"DROP DATABASE {name} WITH (FORCE)")


async def _tell_postgres(statement: str) -> None:
    connection = await asyncpg.connect(POSTGRES)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


# ---------------------------------------------------------------- SQLite

_MIGRATED: dict[Path, bytes] = {}  # by the folder of the migrations, the file that they make of nothing


async def migrate(database: Database, scripts: Path) -> None:
    """Bring a database to the newest version of its tables.

    Where SQLite has no file yet it gets a copy of one that this process migrated before.
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
