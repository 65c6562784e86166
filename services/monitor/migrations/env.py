"""Alembic's environment.

A service hands over its own connection (`shared.migrate`). On the command line the database is `MONITOR_DB_URL`:
`alembic -c services/monitor/alembic.ini revision --autogenerate -m "say why"`.
"""

from __future__ import annotations

from services.monitor.listen.work.tables import METADATA
from shared.migrationenv import run_migrations
from shared.settings import MonitorSettings, load

run_migrations(METADATA, lambda: load(MonitorSettings).db_url.get_secret_value())
