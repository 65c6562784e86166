"""Many who come at once, each with a filter that nobody had: everybody else has a turn between any two of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from services.monitor.feed.turns import Turns
from tests.contract.test_feed_clients import a_floor
from tests.contract.test_monitor import message, say

CLIENTS = 20


async def test_between_two_new_filters_everybody_else_has_a_turn() -> None:
    async with a_floor(50) as floor, AsyncExitStack() as opened:
        hub = floor.monitor.hub
        clients = [await opened.enter_async_context(floor.feed()) for _ in range(CLIENTS)]
        for client in clients:
            await message(client, "hello")
        most = 0

        async def everybody_else() -> None:
            nonlocal most
            known = len(hub._groups)
            while True:
                await asyncio.sleep(0)
                most, known = max(most, len(hub._groups) - known), len(hub._groups)

        others = asyncio.create_task(everybody_else())
        said = [say(one, type="subscribe", filter={"agents": [f"hq/{n}"]}) for n, one in enumerate(clients)]
        rest = [floor.http.get("/api/v1/floor", params={"team": f"team {n}"}) for n in range(5)]
        await asyncio.gather(*said, *rest)
        for client in clients:
            await message(client, "snapshot")
        others.cancel()
        assert hub.subscribers == CLIENTS
        assert most == 1


async def test_what_others_did_meanwhile_nobody_waits_for() -> None:
    turns, done = Turns(), set[str]()

    async def work(name: str) -> bool:
        async with turns.one(lambda: name not in done):
            new = name not in done
            done.add(name)
            return new

    async with asyncio.timeout(60):
        assert sum(await asyncio.gather(*(work("same") for _ in range(100)))) == 1


async def test_work_that_fails_leaves_the_turn_to_the_next() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"):
        async with turns.one(lambda: True):
            raise ValueError("broken")
    async with asyncio.timeout(60), turns.one(lambda: True):
        pass
