"""The past of a site in its topic: what is kept and when, by whom of several, and how it is found again."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from services.monitor.core.views import FloorView, SiteView
from services.monitor.rewind import protocol
from services.monitor.rewind.index import HistoryIndex
from services.monitor.rewind.protocol import AskFloor, AskRange
from services.monitor.rewind.records import Entry, piece_of, pieces_of
from services.monitor.rewind.rewinder import Rewinder
from services.monitor.rewind.worker import answer
from services.monitor.rewind.writer import HistoryWriter
from shared.auth import WHOLE, Scope
from shared.bus import MAX_RECORD_BYTES
from shared.checkpoint import packed
from shared.clock import FakeClock
from shared.codec import encode
from shared.events import AgentLoggedOn, CallQueued, CallStarted, Clock, LinkUp, TransferRequested
from shared.facts import FlagRaised
from shared.memorybus import MemoryBus
from shared.topics import ALL, FLOOR_EVENTS, FLOOR_FLAGS, FLOOR_HISTORY
from tests.floorkit import CONFIG, RULES, SITE, Bench, at, event

PLACE = ("floor.events", 0)


class Kept:
    """A writer, and a site at whose parts it looks."""

    def __init__(self, bus: MemoryBus, clock: FakeClock) -> None:
        self.bus, self.clock = bus, clock
        self.bench = Bench()
        self.registry = CollectorRegistry()
        self.writer = HistoryWriter(bus, clock, self._look, self.registry, every_s=300, records=50_000)

    def _look(self, site: str) -> SiteView | None:
        view = self.bench.engine.view("site", site, site)
        return view if isinstance(view, SiteView) else None

    async def checkpoint(self, offset: int, state: bytes | None = None) -> None:
        """One at this offset; `state` instead of the engine's."""
        given = state if state is not None else self.bench.engine.dump_part(SITE)
        self.writer.take(SITE, given, {PLACE: offset}, {})
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            while self.writer.waits:
                await asyncio.sleep(0.001)

    def count(self, outcome: str) -> float:
        return self.registry.get_sample_value("monitor_history_entries_total", {"outcome": outcome}) or 0.0

    def entries(self) -> list[Entry]:
        pieces = [piece_of(record) for record in self.bus.records(FLOOR_HISTORY)]
        return [piece.entry for piece in pieces if piece is not None and piece.index == 0]


@contextlib.asynccontextmanager
async def keeping(bus: MemoryBus, clock: FakeClock) -> AsyncIterator[Kept]:
    kept = Kept(bus, clock)
    await bus.create(ALL)
    kept.bench(0, LinkUp(connector="test"), AgentLoggedOn(agent_id="1"))
    kept.bench.mark(1)
    task = asyncio.create_task(kept.writer.run())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_state_is_kept_every_five_minutes_and_sooner_where_much_happens() -> None:
    clock = FakeClock()
    async with keeping(MemoryBus(clock), clock) as kept:
        await kept.checkpoint(10)
        await clock.advance(290)
        await kept.checkpoint(20)
        assert len(kept.entries()) == 1
        await clock.advance(20)
        await kept.checkpoint(30)
        assert [entry.offset(PLACE) for entry in kept.entries()] == [10, 30]
        await clock.advance(30)
        await kept.checkpoint(60_000)
        assert len(kept.entries()) == 2, "a fifth of the time at least"
        await clock.advance(31)
        await kept.checkpoint(60_001)
        assert len(kept.entries()) == 3
        await clock.advance(1000)
        await kept.checkpoint(50_000)
        assert len(kept.entries()) == 3, "what comes once more after a restart was kept then"


async def test_of_two_replicas_one_spares_what_the_other_has_written() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    async with keeping(bus, clock) as one, keeping(bus, clock) as other:
        await one.checkpoint(10)
        await clock.advance(20)
        await other.checkpoint(12)
        assert (len(one.entries()), other.count("spared")) == (1, 1)
        await clock.advance(320)
        await other.checkpoint(40)
        await one.checkpoint(42)
        assert [entry.offset(PLACE) for entry in one.entries()] == [10, 40]


async def test_what_the_broker_does_not_take_is_left_out_and_said() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    async with keeping(bus, clock) as kept:
        bus.break_down()
        await kept.checkpoint(10)
        assert (kept.count("failed"), kept.entries()) == (1, [])
        bus.recover()
        await clock.advance(6)
        await kept.checkpoint(20)
        assert [entry.offset(PLACE) for entry in kept.entries()] == [20]


async def test_a_large_state_comes_back_whole_and_a_damaged_one_does_not() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    async with keeping(bus, clock) as kept:
        large = os.urandom(2 * MAX_RECORD_BYTES)
        await kept.checkpoint(10, large)
        records = bus.records(FLOOR_HISTORY)
        assert len(records) == 3
        index = HistoryIndex(bus)
        await index.refresh()
        (entry,) = index.entries(SITE)
        assert await index.state(entry) == large
        assert await index.oldest(SITE) == entry
        half = msgspec.structs.replace(entry, save="half")
        for value, headers in pieces_of(half, packed(large))[:-1]:
            await bus.publish(FLOOR_HISTORY, value, key=SITE, headers=headers)
        other = msgspec.structs.replace(entry, save="other")
        for value, headers in pieces_of(other, packed(b"state")):
            await bus.publish(FLOOR_HISTORY, value + b"?", key=SITE, headers=headers)
        await bus.flush()
        await index.refresh()
        assert {found.save for found in index.entries(SITE)} == {entry.save, "other"}
        assert await index.state(other) is None
        await index.close()


async def test_the_past_is_read_backwards_as_far_as_it_is_asked_for() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create(ALL)
    for number in range(500):
        made = Entry(SITE, str(number), at(number), clock.now() + timedelta(seconds=number), ((*PLACE, number),))
        for value, headers in pieces_of(made, packed(b"x")):
            await bus.publish(FLOOR_HISTORY, value, key=SITE, headers=headers)
    await bus.flush()
    index = HistoryIndex(bus)
    await index.refresh()
    assert [entry.save for entry in (await index.until(SITE, at(499)))[:1]] == ["499"]
    assert len(index.entries(SITE)) < 50
    oldest = await index.oldest(SITE)
    assert oldest is not None
    assert oldest.save == "0"
    assert len(index.entries(SITE)) < 50
    assert [entry.save for entry in (await index.until(SITE, at(100)))[:1]] == ["100"]
    assert await index.until(SITE, at(-1)) == []
    bus.forget_before(FLOOR_HISTORY, 0, 200)
    await index.refresh()
    oldest = await index.oldest(SITE)
    assert oldest is not None
    assert oldest.save == "200"
    await index.close()


@pytest.fixture
async def rewinder() -> Rewinder:
    """Of a floor of two queues and two teams, of which a state is kept at 09:00:01."""
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create(ALL)
    bench = Bench()
    said = [
        LinkUp(connector="test"),
        AgentLoggedOn(agent_id="1", team="Blue", queues=("sales",)),
        AgentLoggedOn(agent_id="2", team="Red", queues=("support",)),
        CallQueued(call_id="a", queue="sales"),
        CallQueued(call_id="b", queue="support"),
    ]
    log = [event(0, one, offset) for offset, one in enumerate(said)]
    for one in (*log, event(1, Clock()), event(60, Clock())):
        await bus.publish(FLOOR_EVENTS, encode(one), key=SITE)
    for one in (*log, event(1, Clock())):
        bench.engine.apply(one)
    state = bench.engine.dump_part(SITE)
    assert state is not None
    entry = Entry(SITE, "one", at(1), clock.now(), ((*PLACE, len(log) + 1),))
    for value, headers in pieces_of(entry, packed(state)):
        await bus.publish(FLOOR_HISTORY, value, key=SITE, headers=headers)
    await bus.flush()
    return Rewinder(bus, CONFIG, RULES)


async def test_one_sees_of_then_what_one_sees_of_now(rewinder: Rewinder) -> None:
    async def seen(scope: Scope) -> FloorView:
        found = await answer(rewinder, AskFloor(SITE, at(30), scope))
        assert found.status == 200
        return msgspec.convert(msgspec.json.decode(found.body)["floor"], FloorView)

    whole = await seen(WHOLE)
    assert [agent.agent_id for agent in whole.agents] == ["1", "2"]
    blue = await seen(Scope(teams=frozenset({"Blue"}), queues=frozenset({"sales"})))
    assert [agent.agent_id for agent in blue.agents] == ["1"]
    assert [queue.queue for queue in blue.queues] == ["sales"]
    assert [call.call_id for call in blue.calls] == ["a"]
    nothing = await seen(Scope(sites=frozenset({"elsewhere"})))
    assert not any((nothing.sites, nothing.agents, nothing.queues, nothing.calls))


async def test_why_a_moment_cannot_be_shown_is_told(rewinder: Rewinder) -> None:
    early = await answer(rewinder, AskFloor(SITE, at(0), WHOLE))
    assert (early.status, early.earliest) == (409, at(1))
    nowhere = await answer(rewinder, AskRange("elsewhere"))
    assert (nowhere.status, nowhere.earliest) == (409, None)
    bus = rewinder._bus
    assert isinstance(bus, MemoryBus)
    bus.forget_before(FLOOR_EVENTS, 0, 100)
    assert (await answer(rewinder, AskFloor(SITE, at(59), WHOLE))).status == 410
    bus.break_down()
    assert (await answer(rewinder, AskFloor(SITE, at(59), WHOLE))).status == 503


async def test_flags_mark_the_moments_at_which_they_were_raised_each_once(rewinder: Rewinder) -> None:
    bus = rewinder._bus
    bench = Bench()
    made = bench(0, LinkUp(connector="test"), AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"))
    made += bench(1, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    made += bench.mark(20)
    flags = [fact for fact in made if isinstance(fact.data, FlagRaised)]
    assert len(flags) == 1
    for fact in (*flags, *flags):  # two replicas
        await bus.publish(FLOOR_FLAGS, encode(fact), key=SITE)
    await bus.publish(FLOOR_FLAGS, b"what is this", key=SITE)
    await bus.flush()
    for _ in range(2):
        found = await answer(rewinder, AskRange(SITE, flags=True))
        kept = msgspec.json.decode(found.body, type=protocol.Kept)
        assert kept.since == at(1)
        assert [(flag.at, flag.severity) for flag in kept.flags] == [(at(8), "warning")]
    hidden = await answer(rewinder, AskRange(SITE))
    assert msgspec.json.decode(hidden.body, type=protocol.Kept).flags == []
