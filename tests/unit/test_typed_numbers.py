"""Callers' numbers that people type into notes: as typed for who works with them or may see numbers, masked for all others."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from shared.auth import LOCAL
from shared.db import Database
from tests.authkit import bearer
from tests.deskkit import principal, serving_desk
from tests.floorkit import SITE
from tests.unit.test_alerts_scope import floor as incidents
from tests.unit.test_desk_cases import CASE, body
from tests.unit.test_desk_cases import floor as a_transfer

pytest_plugins = ("tests.monitordb", "tests.alertsdb")

NUMBER, MASKED = "+45 30 12 34 56", "+•• •• •• 34 56"
TYPED = "call back {} on 2026-12-01 at 14:30, SR-1002345, 10.1.2.3, desk 4711"


@pytest.mark.parametrize(
    ("role", "as_typed"),
    [
        ("viewer", False),
        ("auditor", False),
        ("service", False),
        ("supervisor", True),
        ("inspector", True),
        ("operations", True),
        ("admin", True),
    ],
)
def test_who_works_with_notes_or_may_see_numbers_reads_them(role: str, as_typed: bool) -> None:
    assert principal("somebody", role).reads_notes == as_typed  # type: ignore[arg-type]
    assert LOCAL.reads_notes


async def test_in_cases_and_actions(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, a_transfer()) as desk:
        said, hidden = TYPED.format(NUMBER), TYPED.format(MASKED)
        works, watches, audits = principal("li"), principal("wall", "viewer"), principal("ada", "auditor")
        await desk.as_(works).put(CASE, body(note=said, follow_up=said))
        action = {"site": SITE, "kind": "call", "agents": ["1"], "text_en": said, "text_zh": said}
        await desk.post("/actions", action)
        for who, expected in ((works, said), (principal("wu", "inspector"), said), (audits, hidden)):
            case = (await desk.as_(who).get(f"/transfers/{SITE}/t1"))["case"]
            assert (case["note"], case["follow_up"]) == (expected, expected)
            assert case["history"][0]["changes"]["note"] == [None, expected]
        for who, expected in ((works, said), (watches, hidden)):
            (told,) = (await desk.as_(who).get("/actions"))["actions"]
            assert (told["text_en"], told["text_zh"]) == (expected, expected)
        again = await desk.as_(works).put(CASE, body(1, note=said, follow_up="done"))
        assert again["note"] == said, "it is kept as it was typed"


async def test_in_incidents_and_never_in_what_goes_far(tmp_path: Path, alerts_db: Database) -> None:
    said, hidden = TYPED.format(NUMBER), TYPED.format(MASKED)
    async with incidents(tmp_path, alerts_db) as alerts:

        async def ask(user: str, path: str) -> httpx.Response:
            answer = await alerts.client.get(f"/api/v1/incidents{path}", headers=bearer(user))
            assert answer.status_code == 200
            return answer

        async def seen(user: str) -> set[str]:
            one = (await ask(user, f"/{number}")).json()
            (listed,) = [it for it in (await ask(user, "")).json()["incidents"] if it["id"] == number]
            noted = [entry for entry in one["timeline"] if entry["note"]]
            return {one["incident"]["cause"], listed["cause"], *(entry["note"] for entry in noted)}

        found = (await ask("sales", "")).json()["incidents"]
        number = found[0]["id"]
        done = {"by": "x", "note": said, "cause": said}
        for path, what, status in (("notes", {"by": "x", "note": said}, 201), ("resolve", done, 200)):
            url = f"/api/v1/incidents/{number}/{path}"
            answer = await alerts.client.post(url, headers=bearer("all"), json=what)
            assert answer.status_code == status, answer.text
        assert await seen("all") == {said}
        assert await seen("sales") == {hidden}
        for kind in ("html", "md", "json"):
            text = (await ask("all", f"/{number}/report?format={kind}")).text
            assert "34 56" in text
            assert "30 12" not in text
