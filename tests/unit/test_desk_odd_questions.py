"""Questions at the edges of what databases can hold are answered, and none makes the desk believe its database away."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.db import Database
from tests.deskkit import serving_desk

pytest_plugins = ("tests.monitordb",)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_times_that_utc_does_not_have_are_answered(monitor_db: Database, moment: str) -> None:
    async with serving_desk(monitor_db) as desk:
        await desk.ask("GET", "/transfers", params={"from": moment, "to": moment})
        await desk.get("/transfers", cursor=cursor(sort="newest", id=1, requested=moment))


@pytest.mark.parametrize("wrong", [{"id": 2**31}, {"id": 2**63 - 1}, {"id": 0}, {"tier": 10}, {"took_us": 2**63}])
async def test_a_cursor_that_nobody_gave_is_refused(monitor_db: Database, wrong: dict[str, Any]) -> None:
    async with serving_desk(monitor_db) as desk:
        await desk.get("/transfers", 400, sort="worst", cursor=cursor(sort="worst", **({"id": 1} | wrong)))
        assert desk.desk.store.trouble == ""


def cursor(**fields: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
