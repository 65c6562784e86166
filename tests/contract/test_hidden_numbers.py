"""Callers' numbers go in through the services' real parts and nowhere come out in full: feed, API, flags, reports, logs."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.ingest.adapters.generic import GenericAdapter
from services.ingest.app import Ingest
from shared import logs, topics
from shared.bus import Record
from shared.clock import SystemClock
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.raw import Raw
from shared.service import Background
from shared.settings import IngestSettings
from tests import alertskit
from tests.contract import test_monitor
from tests.contract.test_monitor import Running, message, say
from tests.floorkit import CONFIG, SITE
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
# each by another way in; what is looked for is the digits without their last four
CALLER, DIALLED, CALLBACK, VIP, TARGET, PEER, REFUSED, BROKEN = (
    "+4930901820001",
    "0033123456789",
    "+442079460958",
    "13800138000",
    "+15551234567",
    "+390612345678",
    "+34911234567",
    "+41441234567",
)
NUMBERS = (CALLER, DIALLED, CALLBACK, VIP, TARGET, PEER, REFUSED, BROKEN)
RULES = """
rules:
  - name: somebody_calls
    subject: call
    when: {state: [started, queued, ringing, answered]}
    summary: {en: "a call of {attr_vip}, {attr_note}", zh: "来电{attr_vip}，{attr_note}"}
  - name: handing_over
    subject: transfer
    when: {state: running}
    summary: {en: "a transfer to {target}", zh: "转接至{target}"}
"""


@pytest.fixture(autouse=True)
def restore_logs() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@asynccontextmanager
async def ingesting(bus: MemoryBus) -> AsyncIterator[httpx.AsyncClient]:
    """Ingest with its tasks; its API."""
    ingest = Ingest(IngestSettings(), bus, bus, SystemClock(), CONFIG, CollectorRegistry())
    async with Background() as background:
        background.start("pump", ingest.pump.run())
        background.start("marks", ingest.marker.run())
        background.start("dead letters", ingest.dead_letters.run())
        transport = httpx.ASGITransport(ingest.app(background))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http


def events() -> list[dict[str, Any]]:
    """A call with numbers in every field that may hold one, and its transfer to a number outside."""
    now = datetime.now(UTC) - timedelta(seconds=1)
    data = [
        ("agent_logged_on", {"agent_id": "1", "name": "Anna", "queues": ["sales"]}),
        (
            "call_started",
            {
                "call_id": "c",
                "from_number": CALLER,
                "to_number": DIALLED,
                "attributes": {"vip": VIP, "note": f"ring {CALLBACK}"},
            },
        ),
        ("call_queued", {"call_id": "c", "queue": "sales", "from_number": CALLER}),
        ("leg_started", {"call_id": "c", "leg_id": "l", "agent_id": "1", "queue": "sales", "peer": PEER}),
        ("leg_answered", {"call_id": "c", "leg_id": "l"}),
        (
            "transfer_requested",
            {"transfer_id": "t", "call_id": "c", "kind": "blind", "from_agent": "1", "to_number": TARGET},
        ),
        # again, which cannot be: an anomaly that tells of its event
        ("leg_started", {"call_id": "c", "leg_id": "l", "agent_id": "1", "queue": "sales", "peer": PEER}),
    ]
    return [
        {
            "specversion": "1.0",
            "type": f"floorwatch.{kind}.v1",
            "id": str(number),
            "source": "/test",
            "time": (now + timedelta(milliseconds=number)).isoformat(),
            "data": one,
        }
        for number, (kind, one) in enumerate(data)
    ]


async def all_of(bus: MemoryBus, topic: topics.Topic) -> str:
    reader = await bus.read([topic])
    found: list[Record] = await reader.getmany(timeout_s=1)
    return "\n".join(record.value.decode() for record in found)


async def everything(floor: Running, ingest: httpx.AsyncClient, alerts: alertskit.Alerts) -> dict[str, str]:
    """Whatever the services say, by where they say it."""
    said: dict[str, str] = {}
    async with floor.feed() as socket:
        await say(socket, type="subscribe")
        said["feed"] = json.dumps(await message(socket, "snapshot"), ensure_ascii=False)
    for path in ("/floor", f"/agents/{SITE}/1", f"/sites/{SITE}/anomalies", f"/queues/{SITE}/sales"):
        said[path] = (await floor.http.get(f"/api/v1{path}")).text
    for path in ("/api/v1/sources", "/api/v1/dead-letters", "/metrics"):
        said[path] = (await ingest.get(path)).text
    said["/incidents"] = json.dumps(await alerts.incidents(), ensure_ascii=False)
    for one in await alerts.incidents():
        number = one["id"]
        said[f"incident {number}"] = json.dumps(await alerts.get(f"/incidents/{number}"), ensure_ascii=False)
        for lang, form in (("en", "html"), ("zh", "md"), ("en", "json")):
            path = f"/api/v1/incidents/{number}/report?lang={lang}&format={form}"
            said[f"report {number} {lang} {form}"] = (await alerts.client.get(path)).text
    return said


async def test_no_number_comes_out_in_full(
    tmp_path: Path, alerts_db: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("test", level="debug", fmt="json")
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    monkeypatch.setattr(test_monitor, "RULES", rules)
    feed = GenericAdapter.feed

    def breaking(self: GenericAdapter, raw: Raw) -> Any:
        if BROKEN.encode() in raw.value:
            raise KeyError(BROKEN)
        return feed(self, raw)

    monkeypatch.setattr(GenericAdapter, "feed", breaking)
    bus = MemoryBus()
    async with (
        ingesting(bus) as ingest,
        test_monitor.running(bus) as floor,
        alertskit.running(bus, alerts_db) as alerts,
    ):
        refused = {"specversion": "1.0", "type": f"floorwatch.{REFUSED}.v1", "id": "x", "source": "/t", "data": {}}
        for body in (events(), refused | {"data": {"from_number": REFUSED}}, {"id": BROKEN}):
            answer = await ingest.post(f"/api/v1/raw/{SITE}", json=body)
            assert answer.status_code == 202, answer.text

        async def has_come() -> bool:
            letters = (await ingest.get("/api/v1/dead-letters")).json()["dead_letters"]
            return len(await alerts.incidents()) == 2 and len(letters) == 2

        await until(has_come)
        said = await everything(floor, ingest, alerts)
        said["floor.flags"] = await all_of(bus, topics.FLOOR_FLAGS)
        await asyncio.sleep(0)
    said["logs"] = capsys.readouterr().err
    for number in NUMBERS:
        digits = number.lstrip("+")
        for where, text in said.items():
            assert digits[:-4] not in text, f"{number} in {where}: {text}"
    # it did come to each of these places
    assert f"••{CALLER[-4:]}" in said["feed"]
    for place in ("feed", "incident 1", "report 1 zh md", "floor.flags"):
        assert f"••{VIP[-4:]}" in said[place], place
        assert f"••{CALLBACK[-4:]}" in said[place], place
    assert any(f"••{TARGET[-4:]}" in text for where, text in said.items() if where.startswith("report"))
    assert f"••{PEER[-4:]}" in said[f"/sites/{SITE}/anomalies"]
    assert f"••{REFUSED[-4:]}" in said["/api/v1/dead-letters"]
    assert "a record broke its adapter" in said["logs"]
    assert f"••{BROKEN[-4:]}" in said["logs"]
