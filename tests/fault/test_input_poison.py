"""A record on which our own code raises, each time: it is put aside once, with its reason and place, and the rest goes on.

Ends without a word (`killed`) come before the dead letter is written, after it, and after the checkpoint. As everything that is
published twice a dead letter carries its place, by which readers know it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from services.alerts.core.grouping import Book
from services.alerts.core.incident import Flag
from services.ingest.adapters.generic import GenericAdapter
from services.ingest.app import Ingest
from services.monitor.app import Monitor
from services.monitor.core.engine import Engine
from services.monitor.rulefile import load_rulebook
from shared import events, topics
from shared.bus import Record
from shared.clock import SystemClock
from shared.codec import decode_event, decode_fact
from shared.db import Database
from shared.events import Event
from shared.memorybus import MemoryBus
from shared.raw import Raw
from shared.settings import IngestSettings, MonitorSettings
from shared.siteconfig import Sites
from shared.topics import FLOOR_FLAGS, SWITCH_DEAD_LETTER
from tests.alertskit import TOPICS, publish
from tests.alertskit import running as alerts_running
from tests.flagkit import flag
from tests.ingestkit import cloud, raw
from tests.pumpkit import Counter, make_pump, once, running, say, until

pytest_plugins = ("tests.alertsdb",)

POISON: Final = "poison"
Place = tuple[str, str, str, str]


def places(records: Iterable[Record]) -> list[Place]:
    """Of dead letters: who put it aside, topic, partition and offset."""
    found = [{name: value.decode() for name, value in record.headers} for record in records]
    return [(one["pump"], one["topic"], one["partition"], one["offset"]) for one in found]


async def killed(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


# ---------------------------------------------------------------- the pump, which ingest and the monitor share


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(topics.ALL)
    return bus


@pytest.mark.parametrize("times", [1, 3])
async def test_a_dead_letter_that_cannot_be_written_is_written_when_it_can(times: int, bus: MemoryBus) -> None:
    """The broker goes just when the dead letter is on its way; the record breaks the machine no further time for that."""
    registry = CollectorRegistry()
    pump = make_pump(bus, machine := Counter(), registry=registry)
    async with running(pump):
        await until(lambda: pump.status.ready)
        bus.stall(SWITCH_DEAD_LETTER)
        await say(bus, "a", "boom", "b")
        await until(lambda: machine.times.get("b") == 1)
        for _ in range(times):
            bus.break_down()
            await until(lambda: pump.status.state == "waiting_for_broker")
            bus.recover()
            await until(lambda: pump.status.ready)
        await until(lambda: bool(bus.records(SWITCH_DEAD_LETTER)))
        await say(bus, "c")
        await until(lambda: machine.times.get("c") == 1)
    assert set(places(bus.records(SWITCH_DEAD_LETTER))) == {("counter", "floor.events", "0", "1")}
    assert [one.word for one in once(bus.records(FLOOR_FLAGS))] == ["a", "b", "c"]
    assert machine.times == {"a": 1, "b": 1, "c": 1}
    assert registry.get_sample_value("pump_records_total", {"pump": "counter", "outcome": "failed"}) <= 1 + times


@pytest.mark.parametrize("when", ["before its dead letter", "after its dead letter", "again and again"])
async def test_a_kill_in_between_leaves_one_place_and_every_output_once(when: str, bus: MemoryBus) -> None:
    await say(bus, "a", "boom", "b", "boom", "c")
    for _ in range({"again and again": 3}.get(when, 1)):
        machine = Counter()
        if when == "before its dead letter":
            bus.stall(SWITCH_DEAD_LETTER)
        task = asyncio.create_task(make_pump(bus, machine).run())
        await until(lambda machine=machine: machine.times.get("c") == 1)  # type: ignore[misc]
        await killed(task)
        bus.break_down()  # what was on its way is lost with the process
        bus.recover()
    pump = make_pump(bus, machine := Counter())
    async with running(pump):
        await until(lambda: pump.status.ready and machine.times.get("c") == 1)
    letters = places(bus.records(SWITCH_DEAD_LETTER))
    assert set(letters) == {("counter", "floor.events", "0", str(offset)) for offset in (1, 3)}
    assert [(one.word, one.times) for one in once(bus.records(FLOOR_FLAGS))] == [("a", 1), ("b", 1), ("c", 1)]
    assert machine.times == {"a": 1, "b": 1, "c": 1}


async def test_forty_poisonous_records_among_good_ones(bus: MemoryBus) -> None:
    """Each costs a way back of a few records, because a checkpoint comes soon after the first."""
    words = [word for number in range(40) for word in (f"w{number}", "boom")]
    pump = make_pump(bus, machine := Counter())
    async with running(pump):
        await say(bus, *words, "end")
        await until(lambda: machine.times.get("end") == 1 and pump.status.ready)
    assert [int(place[3]) for place in places(bus.records(SWITCH_DEAD_LETTER))] == list(range(1, 80, 2))
    assert not pump._dead.has_broken, "what a checkpoint covers is forgotten"
    assert [one.word for one in once(bus.records(FLOOR_FLAGS))] == [*words[::2], "end"]


# ---------------------------------------------------------------- ingest: a fault in an adapter


async def test_an_adapter_that_breaks_on_a_record_changes_nothing_else(
    bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = GenericAdapter.feed

    def feed(self: GenericAdapter, record: Raw) -> list[Event]:
        found = honest(self, record)  # what it remembers of the record is there by now
        if any(isinstance(one.data, events.AgentReady) and one.data.agent_id == POISON for one in found):
            raise ZeroDivisionError("a fault of ours")
        return found

    monkeypatch.setattr(GenericAdapter, "feed", feed)
    clock = SystemClock()

    async def serve(expected: int) -> None:
        ingest = Ingest(IngestSettings(), bus, bus, clock, Sites(), CollectorRegistry())
        task = asyncio.create_task(ingest.pump.run())
        await until(lambda: len(set(agents())) >= expected)
        await killed(task)

    def agents() -> list[tuple[int, str]]:
        found = [decode_event(record.value) for record in bus.records(topics.FLOOR_EVENTS)]
        return [(one.rawoffset, one.data.agent_id) for one in found if isinstance(one.data, events.AgentReady)]

    for number in range(30):
        agent = POISON if number % 3 == 1 else str(number)
        record = raw(cloud("agent_ready", {"agent_id": agent}, at_s=number, id=str(number)), received_s=number)
        await bus.publish(topics.SWITCH_RAW, record.value, key="s1", headers=record.headers())
    await bus.flush()
    for _ in range(3):
        await serve(20)
    assert sorted(set(agents())) == [(n, str(n)) for n in range(30) if n % 3 != 1]
    letters = bus.records(SWITCH_DEAD_LETTER)
    assert set(places(letters)) == {("ingest", "switch.raw", "0", str(n)) for n in range(1, 30, 3)}
    assert {dict(letter.headers)["reason"] for letter in letters} == {b"internal_error"}


# ---------------------------------------------------------------- the monitor: a fault in the engine


async def test_an_engine_that_breaks_on_an_event_goes_on_without_it(
    bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What half of it has done is undone: the agent whom it named is not there."""
    honest = Engine.apply

    def apply(self: Engine, event: Event) -> Sequence[Any]:
        found = list(honest(self, event))
        if isinstance(event.data, events.AgentReady) and event.data.agent_id == POISON:
            raise KeyError("a fault of ours")
        return found

    monkeypatch.setattr(Engine, "apply", apply)
    source = Ingest(IngestSettings(), bus, bus, SystemClock(), Sites(), CollectorRegistry())
    for number, agent in enumerate(["1", POISON, "2", POISON, "3"]):
        record = raw(cloud("agent_ready", {"agent_id": agent}, at_s=number, id=str(number)), offset=number)
        for event in source.machine.apply(record):
            await bus.publish(topics.FLOOR_EVENTS, json_of(event), key="s1")
    await bus.flush()
    rules = load_rulebook(MonitorSettings().rules_file)
    for _ in range(2):  # the second begins after a kill, from whichever checkpoint there is
        monitor = Monitor(MonitorSettings(), bus, SystemClock(), Sites(), rules, CollectorRegistry())
        task = asyncio.create_task(monitor.pump.run())
        await until(lambda monitor=monitor: monitor.pump.status.ready)  # type: ignore[misc]
        agents = {one.agent_id for one in monitor.engine.floor_view().agents}
        await killed(task)
        assert agents == {"1", "2", "3"}
    letters = places(bus.records(SWITCH_DEAD_LETTER))
    assert set(letters) == {("monitor", "floor.events", "0", offset) for offset in ("1", "3")}
    for record in bus.records(topics.FLOOR_RECORDS):
        assert getattr(decode_fact(record.value).data, "agent_id", "") != POISON


def json_of(event: Event) -> bytes:
    from services.ingest.app import route

    return route(event).value


# ---------------------------------------------------------------- alerts: a fault in the core, and in reading


@pytest.mark.parametrize("where", ["core", "reading"])
async def test_a_flag_on_which_alerts_breaks_is_put_aside_and_the_next_is_an_incident(
    where: str, alerts_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service ended on it, and again at each start: no flag behind it became an incident."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    honest = Book.raised

    def raised(self: Book, one: Flag, now: Any) -> Any:
        found = honest(self, one, now)
        if one.subject_id == POISON:
            raise RecursionError("a fault of ours")
        return found

    def masked_text(sentence: str) -> str:
        if POISON in sentence:
            raise IndexError("a fault of ours")
        return sentence

    if where == "core":
        monkeypatch.setattr(Book, "raised", raised)
    else:
        monkeypatch.setattr("services.alerts.intake.masked_text", masked_text)
    names = [POISON if number in (3, 4, 20) else f"t{number}" for number in range(30)]
    await publish(bus, *(flag(f"f{n}", name, summary_en=name) for n, name in enumerate(names)))
    good = [name for name in names if name != POISON]

    async def subjects() -> list[str]:
        async with alerts_db.reading() as session:
            return [row[0] for row in await session.execute(text("SELECT subject_id FROM incidents ORDER BY id"))]

    async def all_there() -> bool:
        return len(await subjects()) >= len(good)

    for _ in range(2):
        async with alerts_running(bus, alerts_db):
            await until(all_there)
    assert await subjects() == good
    letters = bus.records(SWITCH_DEAD_LETTER)
    assert places(letters) == [("alerts", "floor.flags", "0", offset) for offset in ("3", "4", "20")], "each once"
    assert {dict(letter.headers)["reason"] for letter in letters} == {b"internal_error"}


async def test_a_flag_without_a_name_is_none(alerts_db: Database) -> None:
    """It opened an incident into which flags of other things went."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    await publish(bus, flag("", ""), flag("f1", "t1"), json.dumps({"type": "floorwatch.flag_cleared.v1"}).encode())
    async with alerts_running(bus, alerts_db) as alerts:
        await until(lambda: len(bus.records(SWITCH_DEAD_LETTER)) == 2)
        await until(alerts.incidents)
        assert [one["subject_id"] for one in await alerts.incidents()] == ["t1"]
    assert dict(bus.records(SWITCH_DEAD_LETTER)[0].headers)["message"] == b"$.data.flag_id is empty"
