"""A connector that falls silent without a word is told of on floor.events, and again when it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.ingest.marker import Marker
from services.ingest.marks import SILENCE_S, SiteClock
from services.monitor.core.engine import Engine
from shared import events, topics
from shared.clock import FakeClock
from shared.codec import decode_event
from shared.events import Event
from shared.memorybus import MemoryBus
from shared.pumpstatus import PumpStatus
from tests.floorkit import CONFIG, RULES
from tests.ingestkit import T0
from tests.unit.test_marks import at, event

GRAIN_S = 0.05
BEAT_S = 5.0
LINK = events.LinkUp(connector="c", switch="a switch")


class Listening:
    """A marker at work for one site of a connector that beats every 5 s, whose switch's clock is an hour behind ours."""

    def __init__(self) -> None:
        self.clock = FakeClock(T0)
        self.bus = MemoryBus(self.clock)
        self.status = PumpStatus("ingest", state="live")
        self.site = SiteClock("s")
        self.site.observe(event(LINK, occurred=0, received=0))
        self.site.observe(event(events.AgentReady(agent_id="1"), occurred=-3600, received=0))
        self.start_marker()

    def start_marker(self) -> None:
        self.marker = Marker(self.bus, self.clock, {"s": self.site}, self.status, mark_s=GRAIN_S)
        self.task = asyncio.create_task(self.marker.run())

    async def beat(self, times: int) -> None:
        for _ in range(times):
            self.site.heard("c", self.clock.now())
            assert self.site.is_heartbeat("c", "", LINK)
            await self.clock.advance(BEAT_S)

    async def told(self) -> list[Event]:
        """What was said of the link."""
        await self.bus.flush()
        found = [decode_event(record.value) for record in self.bus.records(topics.FLOOR_EVENTS)]
        return [one for one in found if not isinstance(one.data, events.Clock)]


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    listening = Listening()
    await listening.bus.create(topics.ALL)
    yield listening
    listening.task.cancel()
    await asyncio.wait([listening.task])


async def test_a_silent_connector_is_down_since_it_was_last_heard(listening: Listening) -> None:
    await listening.beat(3)
    heard = (listening.clock.now() - T0).total_seconds() - BEAT_S
    await listening.clock.advance(SILENCE_S - BEAT_S)
    assert not [one for one in await listening.told() if isinstance(one.data, events.LinkDown)]
    await listening.clock.advance(1)
    down = (await listening.told())[-1]
    assert isinstance(down.data, events.LinkDown)
    assert down.data.connector == "c"
    assert down.time == at(heard - 3600)  # by the switch's clock
    assert down.data.reason == f"silent since {at(heard - 3600).isoformat()}: its heartbeat stopped"
    assert (down.rawpartition, down.rawoffset) == (-1, -1)


async def test_silence_is_told_once_and_ends_with_the_next_word(listening: Listening) -> None:
    await listening.beat(2)
    before = len(await listening.told())
    await listening.clock.advance(60)
    assert len(await listening.told()) == before + 1
    await listening.beat(4)
    told = (await listening.told())[before:]
    assert [type(one.data) for one in told] == [events.LinkDown, events.LinkUp]
    assert told[1].data == events.LinkUp(connector="c", switch="a switch", resumed=True)


async def test_a_connector_that_never_beats_may_be_silent(listening: Listening) -> None:
    await listening.clock.advance(120)
    assert await listening.told() == []


async def test_a_link_that_is_down_is_not_silent_as_well(listening: Listening) -> None:
    await listening.beat(2)
    before = len(await listening.told())
    listening.site.observe(event(events.LinkDown(connector="c"), occurred=-3590, received=10))
    await listening.clock.advance(60)
    assert len(await listening.told()) == before


async def test_after_a_restart_it_is_told_anew_how_things_are(listening: Listening) -> None:
    await listening.beat(2)
    await listening.clock.advance(30)
    said = await listening.told()
    listening.task.cancel()
    await listening.beat(1)  # heard again while nobody could say so
    listening.start_marker()
    await listening.clock.advance(1)
    assert [one.data for one in (await listening.told())[len(said) :]] == [
        events.LinkUp(connector="c", switch="a switch", resumed=True)
    ]


async def test_what_the_broker_did_not_take_is_said_again(listening: Listening) -> None:
    await listening.beat(2)
    before = len(await listening.told())
    listening.bus.break_down()
    await listening.clock.advance(30)
    listening.bus.recover()
    await listening.clock.advance(5)
    told = (await listening.told())[before:]
    assert [type(one.data) for one in told] == [events.LinkDown]


@pytest.mark.parametrize("state", ["replaying", "waiting_for_broker"])
async def test_nothing_is_concluded_while_ingest_does_not_listen(state: str, listening: Listening) -> None:
    await listening.beat(2)
    before = len(await listening.told())
    listening.status.state = state  # type: ignore[assignment]
    await listening.clock.advance(60)
    assert len(await listening.told()) == before


async def test_the_board_greys_and_comes_back_with_all_that_was_known(listening: Listening) -> None:
    """The engine reads what the marker wrote: told twice, as after a restart, it makes no difference."""
    engine = Engine(CONFIG, RULES)

    def apply(*found: Event) -> None:
        for one in found:
            engine.apply(one)

    apply(event(LINK, occurred=-3600, received=0))
    apply(event(events.AgentLoggedOn(agent_id="1"), occurred=-3599, received=1))
    apply(event(events.CallQueued(call_id="a", queue="sales"), occurred=-3598, received=2))
    await listening.beat(2)
    before = len(await listening.told())
    await listening.clock.advance(30)
    (down,) = (await listening.told())[before:]
    apply(down, down)
    (site,) = engine.floor_view().sites
    assert (site.link, site.link_since) == ("down", down.time)
    assert "silent since" in site.link_reason
    (agent,) = engine.floor_view().agents
    assert (agent.state, agent.provenance) == ("ready", "stale")
    await listening.beat(1)
    up = (await listening.told())[-1]
    apply(up, up)
    (site,) = engine.floor_view().sites
    assert site.link == "up"
    assert site.link_since == up.time > down.time + timedelta(seconds=SILENCE_S)
    (agent,), (call,) = engine.floor_view().agents, engine.floor_view().calls
    assert (agent.state, agent.provenance) == ("ready", "inferred")
    assert call.state == "queued"
    assert call.queued_since == at(-3598)
