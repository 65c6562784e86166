"""Questions at the edges of what databases can hold are answered, and none makes the desk believe its database away."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.db import Database
from tests.deskkit import principal, serving_desk

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


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/transfers", {"q": "a\x00b"}, 422),
        ("/transfers", {"agent": "\x00"}, 422),
        ("/transfers", {"limit": 10**30}, 422),
        ("/transfers", {"cursor": "/" * 300}, 400),
        ("/transfers", {"from": "10000-01-01T00:00:00Z"}, 422),
        ("/transfers/hq/%00", {}, 422),
        ("/agents/hq/%00/calls", {}, 422),
        ("/audit/numbers", {"cursor": f"before-{2**31}"}, 400),
        ("/audit/numbers", {"cursor": "before-999999999"}, 200),
        ("/audit/numbers", {"user": "\x00"}, 422),
        ("/actions", {"site": "\x00"}, 422),
        ("/actions", {"limit": 2**63}, 422),
    ],
)
async def test_odd_questions_are_refused_or_answered(
    monitor_db: Database, path: str, asked: dict[str, Any], status: int
) -> None:
    async with serving_desk(monitor_db) as desk:
        await desk.as_(principal("ada", "admin")).get(path, status, **asked)
        assert desk.desk.store.trouble == ""


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
async def test_texts_that_a_database_cannot_hold_are_refused_or_replaced(monitor_db: Database, text: str) -> None:
    async with serving_desk(monitor_db) as desk:
        await desk.put("/transfers/hq/t1/case", {"note": text}, 422)
        await desk.put("/transfers/hq/t1/case", {"follow_up": text}, 422)
        await desk.put("/transfers/hq/t1/case", {"version": 2**31}, 422)
        await desk.put("/transfers/hq/t1/case", {"reason": text, "version": 0}, 422)
        await desk.put("/transfers/hq/t1/case", {"follow_up_on": "10000-01-01"}, 422)
        assert desk.desk.store.trouble == ""
