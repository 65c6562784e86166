"""What every service's `migrations/env.py` does, with the tables of the service and where its database is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from alembic import context
from sqlalchemy import MetaData, text
from sqlalchemy.engine import Connection

from shared.db import Database, UtcDateTime, migrating

LOCK_TIMEOUT = "10s"  # rather fail than stand in front of a running service's table


def run_migrations(metadata: MetaData, db_url: Callable[[], str]) -> None:
    """Run what Alembic was asked for, on the connection that the service hands over (`shared.migrate`).

    On the command line there is none, and the database is that of `db_url`. Raises SystemExit in offline mode.
    """
    if context.is_offline_mode():
        raise SystemExit("migrations need a database: offline mode is not supported")
    if (given := context.config.attributes.get("connection")) is not None:
        _run(given, metadata)
    else:
        asyncio.run(_run_on(db_url(), metadata))


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A migration must not change with the code: our own type is written as what the database sees."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _run(connection: Connection, metadata: MetaData) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()


async def _run_on(url: str, metadata: MetaData) -> None:
    database = Database(url)
    try:
        async with migrating(database) as connection:
            await connection.run_sync(_run, metadata)
    finally:
        await database.close()
