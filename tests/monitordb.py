"""The monitor's database for tests, on each database there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.monitor.desk.store import MIGRATIONS
from shared.db import Database
from tests.databases import BOTH, empty_database, migrated_database


@pytest.fixture(params=BOTH)
async def empty_monitor_db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without a table."""
    async with empty_database(request.param, tmp_path) as database:
        yield database


@pytest.fixture(params=BOTH)
async def monitor_db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(request.param, tmp_path, MIGRATIONS) as database:
        yield database
