"""The HTTP side of ingest, on the bus in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.ingest.app import Ingest
from services.ingest.deadletters import RecentDeadLetters, view_of
from services.ingest.pipeline import IngestMachine
from shared import topics
from shared.bus import MAX_RECORD_BYTES, Record
from shared.clock import FakeClock
from shared.deadletter import dead_letter
from shared.errors import InvalidInput
from shared.memorybus import MemoryBus
from shared.raw import from_record
from shared.settings import IngestSettings
from shared.siteconfig import Sites
from tests.ingestkit import T0, cloud, raw

READY = cloud("agent_ready", {"agent_id": "7"})


@dataclass
class Api:
    """A client, and what stands behind it."""

    client: httpx.AsyncClient
    machine: IngestMachine
    bus: MemoryBus
    clock: FakeClock
    registry: CollectorRegistry

    async def get(self, path: str) -> Any:
        response = await self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any, status: int) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await self.client.post(path, content=content)
        assert response.status_code == status, response.text
        if status >= 400:
            assert response.headers["content-type"] == "application/problem+json"
        return response.json()

    def written(self) -> list[Record]:
        return self.bus.records(topics.SWITCH_RAW)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    clock, registry = FakeClock(T0), CollectorRegistry()
    bus = MemoryBus(clock)
    await bus.create(topics.ALL)
    ingest = Ingest(IngestSettings(), bus, bus, clock, Sites(), registry)
    transport = httpx.ASGITransport(app=ingest.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield Api(client, ingest.machine, bus, clock, registry)


async def test_an_event_is_written_untouched(api: Api) -> None:
    body = b' {"odd":  "spacing", ' + json.dumps(READY).encode()[1:]
    answer = await api.post("/api/v1/raw/hq?connector=pbx-a", body, 202)
    assert answer == {"events": 1, "topic": "switch.raw", "site": "hq", "problem": None}
    (record,) = api.written()
    assert record.value == body
    assert record.key == b"hq"
    read = from_record(record.value, record.headers, 0, 0, record.written)
    assert (read.vendor, read.site, read.connector, read.kind, read.received) == ("generic", "hq", "pbx-a", "event", T0)
    assert len(api.machine.apply(read)) == 1


async def test_a_batch_says_how_many(api: Api) -> None:
    answer = await api.post("/api/v1/raw/hq", [READY, cloud("agent_ready", {"agent_id": "8"})], 202)
    assert answer["events"] == 2
    assert len(api.written()) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (cloud("agent_ready", {}), "$.data.agent_id is missing"),
        (READY | {"site": "other"}, "$.site: 'other' in a record of site 'hq'"),
        ({key: value for key, value in READY.items() if key != "time"}, "$.time is missing"),
    ],
)
async def test_an_event_that_will_be_refused_is_written_and_said_so(body: Any, message: str, api: Api) -> None:
    answer = await api.post("/api/v1/raw/hq", body, 202)
    assert message in answer["problem"]["message"]
    (record,) = api.written()
    with pytest.raises(InvalidInput) as refused:
        api.machine.apply(from_record(record.value, record.headers, 0, 0, record.written))
    assert refused.value.reason == answer["problem"]["reason"]


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/api/v1/raw/hq", b"{", 400, "not JSON"),
        ("/api/v1/raw/hq", b" \n", 400, "the body is empty"),
        ("/api/v1/raw/hq", b'"' + b"x" * MAX_RECORD_BYTES + b'"', 413, "send smaller batches"),
        ("/api/v1/raw/hq?vendor=acme", b"{}", 422, "there are anonymous_bank, asterisk, generic"),
        ("/api/v1/raw/h%20q", b"{}", 422, "site"),
        ("/api/v1/raw/hq?connector=a/b", b"{}", 422, "connector"),
    ],
    ids=["not json", "empty", "too big", "vendor", "site", "connector"],
)
async def test_what_nobody_can_use_is_not_written(path: str, body: bytes, status: int, detail: str, api: Api) -> None:
    problem = await api.post(path, body, status)
    assert detail in problem["detail"]
    assert api.written() == []


async def test_another_vendors_words_need_not_be_json(api: Api) -> None:
    body = b"Event: FullyBooted\r\nPrivilege: system,all\r\n\r\n"
    await api.post("/api/v1/raw/hq?vendor=asterisk", body, 202)
    assert api.written()[0].value == body


async def test_a_lost_broker_is_said(api: Api) -> None:
    api.bus.break_down()
    problem = await api.post("/api/v1/raw/hq", READY, 503)
    assert "send it again" in problem["detail"]


async def test_sources_show_link_age_and_counts(api: Api) -> None:
    assert (await api.get("/api/v1/sources"))["sources"] == []
    api.machine.apply(raw(cloud("link_up", {"connector": "c1", "switch": "PBX"}, at_s=-2)))
    api.machine.apply(raw(cloud("agent_ready", {"agent_id": "7"}, at_s=-2), session="a", seq=0))
    api.machine.apply(raw(cloud("agent_ready", {"agent_id": "8"}, at_s=-1.5), session="a", seq=5))
    await api.clock.advance(10)
    (source,) = (await api.get("/api/v1/sources"))["sources"]
    assert (
        source
        | {
            "site": "s1",
            "vendor": "generic",
            "connector": "c1",
            "link": "up",
            "switch": "PBX",
            "age_s": 10.0,
            "skew_s": 1.5,
            "received": 3,
            "gaps": 1,
            "lost": 4,
            "invalid": 0,
        }
        == source
    )
    assert source["link_since"] == (T0 - timedelta(seconds=2)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("events", "link"),
    [
        ([("agent_ready", {"agent_id": "7"})], "never"),
        ([("link_up", {"connector": "pbx"})], "up"),
        ([("link_up", {"connector": "pbx"}), ("link_down", {"connector": "pbx", "reason": "reset"})], "down"),
    ],
)
async def test_a_source_shows_its_sites_link(events: list[tuple[str, Any]], link: str, api: Api) -> None:
    """Over HTTP the header says `http`, and the event the connector's name."""
    for kind, data in events:
        api.machine.apply(raw(cloud(kind, data), connector="http"))
    (source,) = (await api.get("/api/v1/sources"))["sources"]
    assert source["link"] == link
    assert source["link_reason"] == ("reset" if link == "down" else "")


async def test_schemas_are_listed_and_served(api: Api) -> None:
    found = (await api.get("/api/v1/schemas"))["topics"]
    assert set(found) == {"switch.raw", "floor.events", "floor.flags", "floor.records", "incidents"}
    assert "floorwatch.clock.v1" in found["floor.events"]
    assert "floorwatch.clock.v1" not in found["switch.raw"]
    for topic, types in found.items():
        for type_ in types:
            schema = await api.get(f"/api/v1/schemas/{type_}?topic={topic}")
            assert schema["title"] == type_
    for path in ("/api/v1/schemas/floorwatch.clock.v1?topic=switch.raw", "/api/v1/schemas/x?topic=y"):
        assert (await api.client.get(path)).status_code == 404


async def test_metrics_exist_from_the_start_and_count(api: Api) -> None:
    def value(name: str, **labels: str) -> float | None:
        return api.registry.get_sample_value(name, {"vendor": "generic", **labels})

    assert value("ingest_raw_records_total", outcome="accepted") == 0
    assert value("ingest_gaps_total") == 0
    assert value("ingest_dead_letters_total") == 0
    assert api.registry.get_sample_value("ingest_duplicates_total", {"vendor": "asterisk"}) == 0
    api.machine.apply(raw(READY, session="a", seq=0))
    api.machine.apply(raw(READY, session="a", seq=0))
    with pytest.raises(InvalidInput):
        api.machine.apply(raw(b"{", session="a", seq=3))
    counts = {
        outcome: value("ingest_raw_records_total", outcome=outcome)
        for outcome in ("accepted", "heartbeat", "duplicate", "invalid")
    }
    assert counts == {"accepted": 1, "heartbeat": 0, "duplicate": 1, "invalid": 1}
    assert (value("ingest_gaps_total"), value("ingest_lost_total"), value("ingest_dead_letters_total")) == (1, 2, 1)


def letter(value: bytes, clock: FakeClock) -> Record:
    was = Record("switch.raw", 2, 77, b"hq", value, (("vendor", b"generic"), ("site", b"hq")), clock.now())
    out = dead_letter(was, InvalidInput("not_json", "not JSON: nonsense"), "ingest")
    return Record(out.topic.name, 0, 5, out.key.encode(), out.value, out.headers, clock.now())


def test_a_dead_letter_is_shown_safely() -> None:
    view = view_of(letter(b"a\x00\x1b[31m\xff\xfe<b>" + "中".encode() + b"z" * 10_000, FakeClock(T0)))
    assert view.value.startswith("a\\x00\\x1b[31m\\xff\\xfe<b>中zzz")
    assert len(view.value) < 4200
    assert (view.site, view.vendor, view.topic, view.partition, view.offset) == ("hq", "generic", "switch.raw", 2, 77)
    assert (view.reason, view.message, view.pump) == ("not_json", "not JSON: nonsense", "ingest")
    assert view.size == 10_000 + 15


async def test_a_flood_of_dead_letters_is_said_to_readiness() -> None:
    clock = FakeClock(T0)
    bus = MemoryBus(clock)
    await bus.create(topics.ALL)
    letters = RecentDeadLetters(bus, clock, limit_a_minute=3)
    assert letters.check() is None
    for value in (b"x", b"y", b"y", b"y", b"z"):  # a second monitor and a replay reject the same again
        assert letters.check() is None
        letters.add(letter(value, clock))
    assert [one.value for one in letters.last(10)] == ["z", "y", "x"]
    assert "dead letters within a minute" in (letters.check() or "")
    await clock.advance(61)
    assert letters.check() is None
    assert len(letters.last(2)) == 2
