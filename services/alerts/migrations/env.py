"""Alembic's environment.

A service hands over its own connection (`shared.migrate`). On the command line the database is `ALERTS_DB_URL`:
`alembic -c services/alerts/alembic.ini revision --autogenerate -m "say why"`.
"""

from __future__ import annotations

from services.alerts.metadata import METADATA
from shared.migrationenv import run_migrations
from shared.settings import AlertsSettings, load

run_migrations(METADATA, lambda: load(AlertsSettings).db_url.get_secret_value())
