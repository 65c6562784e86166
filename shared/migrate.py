"""Brings a service's database to the version of its tables, at the service's start. Alembic does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import Connection

from shared.db import Database, migrating, shown
from shared.errors import StoreError

LOCK_KEY = 0x464C4F4F52  # "FLOOR": replicas that start together migrate one after the other

log = structlog.get_logger(__name__)


def config_for(scripts: Path, connection: Connection | None = None) -> Config:
    """Alembic's configuration for the migrations in `scripts`; `env.py` finds the connection in its attributes."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def upgrade(database: Database, scripts: Path, revision: str = "head") -> None:
    """Run the migrations in `scripts` up to `revision`, in one transaction.

    Raises StoreError when the database cannot be reached, or was migrated by a newer version of the service.
    """
    await _run(database, scripts, command.upgrade, revision)


async def downgrade(database: Database, scripts: Path, revision: str) -> None:
    """Undo migrations down to `revision`; "base" leaves no table. Raises StoreError."""
    await _run(database, scripts, command.downgrade, revision)


async def _run(database: Database, scripts: Path, step: Any, revision: str) -> None:
    async with migrating(database) as connection:
        before, after = await connection.run_sync(_migrate, scripts, step, revision, shown(database.url))
    if before == after:
        log.info("database is up to date", database=shown(database.url), revision=after)
    else:
        log.info("database migrated", database=shown(database.url), before=before or "empty", revision=after or "empty")


def _migrate(connection: Connection, scripts: Path, step: Any, revision: str, name: str) -> tuple[str, str]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    config = config_for(scripts, connection)
    before = MigrationContext.configure(connection).get_current_revision() or ""
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before and before not in known:
        unknown = f"is at revision {before}, which this version does not know: a newer Floorwatch migrated it"
        raise StoreError(
            f"database {name} {unknown}; start that version, or point the service at another database",
            f"the database {unknown}",
        )
    try:
        step(config, revision)
    except CommandError as exc:
        failed = f"migration to {revision} failed: {exc}"
        raise StoreError(f"database {name}: {failed}", f"the database is not of this version: {failed}") from exc
    return before, MigrationContext.configure(connection).get_current_revision() or ""
