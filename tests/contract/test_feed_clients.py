"""Clients that a wallboard's feed must survive: careless ones, hostile ones, many at once, and the end of the service."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.monitor.app import Monitor
from services.monitor.feed import hub
from shared.clock import SystemClock
from shared.events import AgentLoggedOn, LinkUp
from shared.http import Background, ServiceFailed, serve
from shared.memorybus import MemoryBus
from shared.settings import MonitorSettings, load
from tests.contract.test_monitor import Running, message, running, say
from tests.floorkit import CONFIG, RULES, SITE


async def close_code(client: ClientConnection) -> int:
    """The code that the server closes with."""
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionClosed):
            async for _ in client:
                pass
    assert client.close_code is not None
    return client.close_code


@asynccontextmanager
async def a_floor(agents: int = 1, **settings: float) -> AsyncIterator[Running]:
    async with running(MemoryBus(), **settings) as floor:
        await floor.happens(0, LinkUp(connector="test"), *(AgentLoggedOn(agent_id=str(n)) for n in range(agents)))
        yield floor


@pytest.mark.parametrize(
    "said", [b'{"type":"subscribe"}', "null", "[]", '{"type":"listen"}', '{"type":"resume"}', "[" * 60_000]
)
async def test_what_cannot_be_read_is_answered_with_a_code(said: str | bytes) -> None:
    async with a_floor() as floor, floor.feed() as client:
        await client.send(said)
        assert await close_code(client) == 4400


@pytest.mark.parametrize("position", [-1, -(10**18), 10**18])
async def test_a_position_that_never_was_gets_a_snapshot(position: int) -> None:
    async with a_floor() as floor, floor.feed() as client:
        await say(client, type="resume", epoch=floor.monitor.hub.epoch, position=position)
        await message(client, "snapshot")


async def test_subscribing_twice_sends_each_delta_once() -> None:
    async with a_floor() as floor, floor.feed() as client:
        await say(client, type="subscribe")
        await message(client, "snapshot")
        await say(client, type="subscribe")
        position = (await message(client, "snapshot"))["position"]
        for second in (1, 2):
            await floor.happens(second, AgentLoggedOn(agent_id=f"new {second}"))
            delta = await message(client, "delta")
            assert delta["position"] > position
            assert f"hq/new {second}" in [change["key"] for change in delta["changes"]]
            position = delta["position"]


async def test_two_hundred_boards_see_the_same() -> None:
    async with a_floor(20) as floor:
        boards = await asyncio.gather(*(connect(f"ws://127.0.0.1:{floor.port}/api/v1/feed") for _ in range(200)))

        async def watch(board: ClientConnection) -> str:
            await say(board, type="subscribe")
            await message(board, "snapshot")
            subscribed.release()
            return json.dumps(await message(board, "delta"))

        subscribed = asyncio.Semaphore(0)
        watching = [asyncio.create_task(watch(board)) for board in boards]
        for _ in boards:
            await subscribed.acquire()
        await floor.happens(1, AgentLoggedOn(agent_id="new"))
        assert len(set(await asyncio.gather(*watching))) == 1
        await asyncio.gather(*(board.close() for board in boards))


async def test_before_any_site_is_known_the_clock_is_told_all_the_same() -> None:
    async with running(MemoryBus()) as floor, floor.feed() as client:
        await say(client, type="subscribe")
        assert (await message(client, "snapshot"))["floor"]["sites"] == []
        for _ in range(2):
            assert (await message(client, "clock"))["sites"] == {}


async def test_who_is_shown_a_site_is_told_its_time_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the time was read a moment ago for somebody else, and the site was not there then."""
    monkeypatch.setattr(hub, "_FRESH_S", 60.0)
    async with running(MemoryBus()) as floor, floor.feed() as before, floor.feed() as after:
        await say(before, type="subscribe")
        await message(before, "clock")
        await floor.happens(0, LinkUp(connector="test"))
        await say(after, type="subscribe")
        shown = [site["site"] for site in (await message(after, "snapshot"))["floor"]["sites"]]
        assert list((await message(after, "clock"))["sites"]) == shown == [SITE]


async def test_a_service_that_ends_tells_every_client_to_come_back_and_does_not_linger() -> None:
    monitor = Monitor(load(MonitorSettings), MemoryBus(), SystemClock(), CONFIG, RULES, CollectorRegistry())
    ended, port = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def until_ended() -> None:
        await ended.wait()

    async with Background() as background:
        background.start("something", until_ended())
        serving = asyncio.create_task(
            serve(
                monitor.app(background),
                "127.0.0.1",
                0,
                background=background,
                on_started=port.set_result,
                on_stopping=monitor.hub.part,
                shutdown_s=600.0,
            )
        )
        url = f"ws://127.0.0.1:{await port}/api/v1/feed"
        async with connect(url) as board, connect(url) as silent:
            await say(board, type="subscribe")
            await message(board, "snapshot")
            await message(silent, "hello")
            ended.set()
            assert [await close_code(board), await close_code(silent)] == [4501, 4501]
            async with asyncio.timeout(60):  # a tenth of what it gives to those who do not end
                with pytest.raises(ServiceFailed):
                    await serving
