"""The monitor over its real port: REST, feed, restart. Events enter through a bus, as in production."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.monitor.app import Monitor
from services.monitor.rulefile import load_rulebook
from shared import topics
from shared.clock import SystemClock
from shared.codec import decode_fact, encode
from shared.envelope import Data
from shared.events import (
    AgentLoggedOn,
    CallStarted,
    Clock,
    LegAnswered,
    LegStarted,
    LinkUp,
    TransferBridged,
    TransferRequested,
)
from shared.facts import FlagCleared, FlagRaised
from shared.memorybus import MemoryBus
from shared.ports import listen
from shared.settings import MonitorSettings
from shared.tls import ServerTls
from shared.wsserver import DirectProtocol
from tests.floorkit import CONFIG, SITE, at, event

RULES = Path(__file__).parents[2] / "deploy" / "rules.yaml"


class Running:
    """A monitor with its port, and the events published to it so far."""

    def __init__(self, bus: MemoryBus, monitor: Monitor, port: int, registry: CollectorRegistry) -> None:
        self.bus, self.monitor, self.port, self.registry = bus, monitor, port, registry
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._offset = 0

    async def happens(self, second: float, *data: Data) -> None:
        """Publish events and wait until the engine has them."""
        for one in data:
            mark = isinstance(one, Clock)
            made = event(second, one, -1 if mark else self._offset)
            self._offset += not mark
            await self.bus.publish(topics.FLOOR_EVENTS, encode(made), key=SITE)
        await self.bus.flush()
        there = len(self.bus.records(topics.FLOOR_EVENTS))
        async with asyncio.timeout(60):
            while self._read() < there or self.monitor.engine.clocks().get(SITE, (None,))[0] != at(second):
                await asyncio.sleep(0)

    def _read(self) -> int:
        """How many events the engine has; its clock alone would say no more than that one of this time is there."""
        return sum(end for (topic, _), end in self.monitor.pump._next.items() if topic == topics.FLOOR_EVENTS.name)

    def feed(self) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/api/v1/feed")


@asynccontextmanager
async def running(
    bus: MemoryBus, *, ws: Any = DirectProtocol, tls: ServerTls | None = None, **settings: Any
) -> AsyncIterator[Running]:
    registry = CollectorRegistry()
    rules = load_rulebook(RULES)
    monitor = Monitor(MonitorSettings(flush_s=0.01, **settings), bus, SystemClock(), CONFIG, rules, registry)
    sock = listen("127.0.0.1", 0, setting="MONITOR_PORT")
    config = uvicorn.Config(
        monitor.app(),
        ws=ws,
        ws_per_message_deflate=False,
        log_config=None,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
    )
    server = uvicorn.Server(config)
    tasks = [
        asyncio.create_task(monitor.pump.run()),
        asyncio.create_task(monitor.hub.run_clock()),
        asyncio.create_task(server.serve(sockets=[sock])),
    ]
    try:
        async with asyncio.timeout(60):
            while not (server.started and monitor.pump.status.ready):
                await asyncio.sleep(0)
        made = Running(bus, monitor, sock.getsockname()[1], registry)
        yield made
        await made.http.aclose()
    finally:
        monitor.pump.stop()
        server.should_exit = True
        server.force_exit = True
        tasks[1].cancel()
        await asyncio.wait(tasks)


async def message(socket: ClientConnection, *kinds: str) -> Any:
    """The next message of one of these kinds."""
    async with asyncio.timeout(60):
        while True:
            found = json.loads(await socket.recv())
            if found["type"] in kinds:
                return found


async def say(socket: ClientConnection, **said: Any) -> None:
    await socket.send(json.dumps(said))


async def test_a_wallboard_gets_a_snapshot_then_what_changes() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, LinkUp(connector="test", simulated=True), AgentLoggedOn(agent_id="1", name="Anna"))
        async with floor.feed() as socket:
            assert (await message(socket, "hello"))["version"] == 1
            await say(socket, type="subscribe")
            snapshot = await message(socket, "snapshot")
            assert [agent["state"] for agent in snapshot["floor"]["agents"]] == ["ready"]
            assert snapshot["floor"]["sites"][0]["simulated"] is True
            await floor.happens(5, LegStarted(call_id="c", leg_id="l", agent_id="1", peer="+4559778150"))
            delta = await message(socket, "delta")
            (card,) = [change["value"] for change in delta["changes"] if change["kind"] == "agent"]
            assert (card["state"], card["since"]) == ("ringing", "2026-11-22T09:00:05Z")
            assert card["call"]["peer"] == "+••••••8150"
            assert delta["position"] > snapshot["position"]


async def test_a_flag_reaches_board_topic_and_rest_and_goes_when_the_transfer_ends() -> None:
    bus = MemoryBus()
    async with running(bus) as floor:
        await floor.happens(0, AgentLoggedOn(agent_id="1"), AgentLoggedOn(agent_id="2"), CallStarted(call_id="c"))
        await floor.happens(1, LegStarted(call_id="c", leg_id="l", agent_id="1"), LegAnswered(call_id="c", leg_id="l"))
        async with floor.feed() as socket:
            await say(socket, type="subscribe")
            await message(socket, "snapshot")
            request = TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2")
            await floor.happens(10, request)
            await floor.happens(17.05, Clock())
            flag = None
            while flag is None:
                changes = (await message(socket, "delta"))["changes"]
                flag = next((change["value"] for change in changes if change["kind"] == "flag"), None)
            assert (flag["rule"], flag["raised"]) == ("slow_transfer", "2026-11-22T09:00:17Z")
        assert len((await floor.http.get("/api/v1/floor")).json()["floor"]["flags"]) == 1
        await floor.happens(20, TransferBridged(transfer_id="t", to_agent="2"))
        assert (await floor.http.get("/api/v1/floor")).json()["floor"]["flags"] == []
        reader = await bus.read([topics.FLOOR_FLAGS])
        published = [decode_fact(record.value).data for record in await reader.getmany(timeout_s=5)]
        assert [type(data) for data in published] == [FlagRaised, FlagCleared]


async def test_a_board_that_was_away_resumes_with_what_it_missed() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, AgentLoggedOn(agent_id="1"))
        async with floor.feed() as socket:
            await say(socket, type="subscribe")
            snapshot = await message(socket, "snapshot")
        await floor.happens(9, AgentLoggedOn(agent_id="2"))
        async with floor.feed() as socket:
            await say(socket, type="resume", epoch=snapshot["epoch"], position=snapshot["position"])
            assert (await message(socket, "resumed", "snapshot"))["type"] == "resumed"
            changes = (await message(socket, "delta"))["changes"]
            assert f"{SITE}/2" in [change["key"] for change in changes]
        async with floor.feed() as socket:
            await say(socket, type="resume", epoch="another", position=1)
            assert len((await message(socket, "resumed", "snapshot"))["floor"]["agents"]) == 2


async def test_nonsense_is_answered_with_a_code_that_says_do_not_come_back() -> None:
    async with running(MemoryBus()) as floor, floor.feed() as socket:
        await socket.send("{nonsense")
        with pytest.raises(ConnectionClosed) as closed:
            await message(socket, "never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4400
        async with floor.feed() as another:
            await say(another, type="ping")
            await message(another, "pong")


async def test_a_restarted_monitor_shows_the_same_floor_and_tells_nothing_twice() -> None:
    bus = MemoryBus()
    async with running(bus) as first:
        await first.happens(0, LinkUp(connector="test"), AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"))
        await first.happens(1, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
        await first.happens(9, Clock())
        before = (await first.http.get("/api/v1/floor")).json()["floor"]
    async with running(bus) as second:
        assert (await second.http.get("/api/v1/floor")).json()["floor"] == before
    reader = await bus.read([topics.FLOOR_FLAGS])
    assert len(await reader.getmany(timeout_s=5)) == 1


async def test_what_is_not_an_event_goes_to_the_dead_letters_untouched() -> None:
    bus = MemoryBus()
    async with running(bus) as floor:
        await bus.publish(topics.FLOOR_EVENTS, b"not an event", key=SITE)
        await floor.happens(0, AgentLoggedOn(agent_id="1"))
    reader = await bus.read([topics.SWITCH_DEAD_LETTER])
    (letter,) = await reader.getmany(timeout_s=5)
    headers = dict(letter.headers)
    assert letter.value == b"not an event"
    assert (headers["reason"], headers["topic"], headers["offset"]) == (b"not_json", b"floor.events", b"0")


async def test_rest_answers() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, AgentLoggedOn(agent_id="1", name="Anna", queues=("sales",)))
        assert (await floor.http.get(f"/api/v1/agents/{SITE}/1")).json()["name"] == "Anna"
        assert (await floor.http.get(f"/api/v1/queues/{SITE}/sales")).json()["agents"] == {"ready": 1}
        missing = await floor.http.get(f"/api/v1/agents/{SITE}/9")
        assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
        assert missing.json()["detail"] == "no agent 9 at site hq was heard of"
        nobody = await floor.http.get("/api/v1/sites/nowhere/anomalies")
        assert (nobody.status_code, nobody.json()["detail"]) == (404, "no site nowhere was heard of")
        assert (await floor.http.get(f"/api/v1/sites/{SITE}/anomalies")).json()["total"] == 0
        rules = (await floor.http.get("/api/v1/rules")).json()
        assert (rules["rules"][0]["for_s"], rules["file_error"]) == (7.0, "")
        assert (await floor.http.get("/readyz")).status_code == 200
        assert "monitor_feed_subscribers 0.0" in (await floor.http.get("/metrics")).text


async def test_after_an_outage_a_board_keeps_its_picture_until_there_is_a_new_one() -> None:
    """The state is rebuilt from a checkpoint, which is older than what the board shows: it is not taken back there."""
    bus = MemoryBus()
    async with running(bus, checkpoint_s=3600) as floor:
        await floor.happens(0, LinkUp(connector="test"), AgentLoggedOn(agent_id="1"))
        async with floor.feed() as socket:
            await say(socket, type="subscribe")
            first = await message(socket, "snapshot")
            bus.break_down()
            async with asyncio.timeout(60):
                while floor.monitor.pump.status.state != "waiting_for_broker":
                    await asyncio.sleep(0)
            bus.recover()
            again = await message(socket, "snapshot", "delta")
            assert again["type"] == "snapshot"
            assert again["epoch"] != first["epoch"]
            assert again["floor"] == first["floor"], "no picture of an earlier time came in between"


async def test_a_monitor_that_starts_on_an_old_log_says_how_old_its_picture_is() -> None:
    class Yesterday(SystemClock):
        def now(self) -> datetime:
            return super().now() - timedelta(hours=20)

    bus = MemoryBus(Yesterday())
    await bus.create(topics.ALL)
    for offset, data in enumerate((LinkUp(connector="test"), AgentLoggedOn(agent_id="1"))):
        await bus.publish(topics.FLOOR_EVENTS, encode(event(0, data, offset)), key=SITE)
    await bus.flush()
    async with running(bus) as floor, floor.feed() as socket:
        await say(socket, type="subscribe")
        told = await message(socket, "clock")
        while SITE not in told["sites"]:  # the first may be of before it was read
            told = await message(socket, "clock")
        assert told["sites"][SITE]["age_s"] > 19 * 3600, "nobody has written a mark since"
