"""Questions at the edges of what databases can hold are refused or answered, on each database alike, and nothing breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import running

pytest_plugins = ("tests.alertsdb",)

FAR = (-(2**63) - 1, -(2**31) - 1, -1, 2**31, 2**63, 10**30)


@pytest.mark.parametrize("number", FAR)
async def test_numbers_that_no_incident_can_have_are_refused(alerts_db: Database, number: int) -> None:
    async with running(MemoryBus(), alerts_db) as alerts:
        await alerts.get(f"/incidents/{number}", 422)
        await alerts.get(f"/incidents/{number}/report", 422)
        for change in ("acknowledge", "resolve", "reopen", "notes"):
            await alerts.post(f"/incidents/{number}/{change}", {"by": "Li", "note": "x"}, 422)
    for there_is_none in (0, 2**31 - 1):
        async with running(MemoryBus(), alerts_db) as alerts:
            await alerts.get(f"/incidents/{there_is_none}", 404)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"cursor": f"before-{2**31}"}, 400),
        ({"cursor": "before--1"}, 400),
        ({"cursor": "before-999999999"}, 200),
        ({"limit": 2**31}, 422),
        ({"limit": -1}, 422),
        ({"limit": 10**30}, 422),
        ({"q": "2147483648"}, 200),
        ({"q": "#99999999999999999999"}, 200),
        ({"q": "٣"}, 200),
        ({"q": "%_\\'\";--"}, 200),
        ({"q": "a\x00b"}, 422),
        ({"site": "\x00"}, 422),
        ({"rule": "\x00"}, 422),
    ],
)
async def test_odd_lists_are_refused_or_answered(alerts_db: Database, asked: dict[str, Any], status: int) -> None:
    async with running(MemoryBus(), alerts_db) as alerts:
        answer = await alerts.client.get("/api/v1/incidents", params=asked)
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
async def test_texts_that_a_database_cannot_hold_are_refused(alerts_db: Database, text: str) -> None:
    async with running(MemoryBus(), alerts_db) as alerts:
        for step, body in (
            ("notes", {"by": text, "note": "x"}),
            ("notes", {"by": "Li", "note": text}),
            ("resolve", {"by": "Li", "cause": text}),
            ("resolve", {"by": "Li", "recheck_on": "99999-01-01"}),
        ):
            raw = json.dumps(body)  # httpx writes no half of a character
            headers = {"content-type": "application/json"}
            answer = await alerts.client.post(f"/api/v1/incidents/1/{step}", content=raw, headers=headers)
            assert answer.status_code == 422, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
