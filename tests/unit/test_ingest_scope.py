"""Ingest with users: who may send events of which site, and who sees what arrived."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.ingest.app import Ingest
from shared import topics
from shared.bus import Record
from shared.clock import SystemClock
from shared.deadletter import dead_letter
from shared.errors import InvalidInput
from shared.memorybus import MemoryBus
from shared.settings import IngestSettings
from tests.authkit import bearer, settings, users_file
from tests.floorkit import CONFIG
from tests.ingestkit import cloud

USERS = """\
users:
  pbx: {roles: [service], sites: [s1]}
  all: {roles: [operations]}
  one: {roles: [operations], sites: [s1]}
  team: {roles: [operations], sites: [s1], teams: [Blue]}
  viewer: {roles: [viewer]}
"""


@pytest.fixture
async def ingest(tmp_path: Path) -> Ingest:
    how: dict[str, Any] = settings(tmp_path)
    users_file(tmp_path, USERS)
    bus = MemoryBus()
    await bus.create([topics.SWITCH_RAW])
    return Ingest(IngestSettings(**how), bus, bus, SystemClock(), CONFIG, CollectorRegistry())


@pytest.fixture
async def http(ingest: Ingest) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ingest.app()), base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize(
    ("user", "site", "status"),
    [("pbx", "s1", 202), ("pbx", "s2", 403), ("all", "s2", 202), ("one", "s2", 403), ("viewer", "s1", 403)],
)
async def test_events_are_taken_from_those_who_may_send_them(
    http: httpx.AsyncClient, user: str, site: str, status: int
) -> None:
    event = cloud("agent_ready", {"agent_id": "1"})
    sent = await http.post(f"/api/v1/raw/{site}", headers=bearer(user), json=event)
    assert sent.status_code == status, sent.text
    assert (await http.post(f"/api/v1/raw/{site}", json=event)).status_code == 401


def refused(site: str, offset: int) -> Record:
    now = SystemClock().now()
    raw = Record(topics.SWITCH_RAW.name, 0, offset, site.encode(), b"{", (("site", site.encode()),), now)
    letter = dead_letter(raw, InvalidInput("not_json", "not JSON"), "ingest")
    return Record(letter.topic.name, 0, offset, letter.key.encode(), letter.value, letter.headers, now)


async def test_dead_letters_are_for_those_who_see_all_of_the_site(ingest: Ingest, http: httpx.AsyncClient) -> None:
    for offset, site in enumerate(("s1", "s2", "s1", "s2")):
        ingest.dead_letters.add(refused(site, offset))
    for user, sites in (("all", ["s2", "s1", "s2", "s1"]), ("one", ["s1", "s1"]), ("team", [])):
        answer = await http.get("/api/v1/dead-letters", headers=bearer(user))
        assert [one["site"] for one in answer.json()["dead_letters"]] == sites, user
    limited = await http.get("/api/v1/dead-letters?limit=1", headers=bearer("one"))
    assert [one["offset"] for one in limited.json()["dead_letters"]] == [2]  # of what they see
    assert (await http.get("/api/v1/dead-letters", headers=bearer("viewer"))).status_code == 403
