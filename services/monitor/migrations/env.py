"""Alembic's environment.

A service hands over its own connection (`shared.migrate`). On the command line the database is `MONITOR_DB_URL`:
`alembic -c services/monitor/alembic.ini revision --autogenerate -m "say why"`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from services.monitor.desk.tables import METADATA
from shared.db import Database, UtcDateTime, migrating
from shared.settings import MonitorSettings, load

LOCK_TIMEOUT = "10s"  # rather fail than stand in front of a running service's table


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A migration must not change with the code: our own type is written as what the database sees."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()


async def _run_on_settings() -> None:
    database = Database(load(MonitorSettings).db_url.get_secret_value())
    try:
        async with migrating(database) as connection:
            await connection.run_sync(_run)
    finally:
        await database.close()


if context.is_offline_mode():
    raise SystemExit("migrations need a database: offline mode is not supported")
if (given := context.config.attributes.get("connection")) is not None:
    _run(given)
else:
    asyncio.run(_run_on_settings())
