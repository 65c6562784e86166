"""Databases for tests: SQLite always, PostgreSQL where TEST_POSTGRES_URL names a server in which databases may be created."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db import Database

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
