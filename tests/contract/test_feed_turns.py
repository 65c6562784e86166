"""Many who come at once, each with a filter that nobody had: everybody else has a turn between any two of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from services.monitor.feed.lens import Lens, Wanted
from services.monitor.feed.turns import Turns
from shared.identity import LOCAL
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
        async with turns.one("anna", lambda: name not in done):
            new = name not in done
            done.add(name)
            return new

    async with asyncio.timeout(60):
        assert sum(await asyncio.gather(*(work("same") for _ in range(100)))) == 1


async def test_work_that_fails_leaves_the_turn_to_the_next() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"):
        async with turns.one("anna", lambda: True):
            raise ValueError("broken")
    async with asyncio.timeout(60), turns.one("anna", lambda: True):
        pass


async def test_users_take_turns_however_much_one_of_them_wants() -> None:
    turns, done = Turns(), list[str]()

    async def work(user: str) -> None:
        async with turns.one(user, lambda: True):
            done.append(user)

    async with asyncio.timeout(60):
        await asyncio.gather(*(work("greedy") for _ in range(50)), work("anna"), work("bo"), work("bo"))
    assert done[:6] == ["greedy", "greedy", "anna", "bo", "greedy", "bo"]
    assert len(done) == 53


@pytest.mark.parametrize("when", ["while it waits", "as its turn comes"])
async def test_who_gives_up_leaves_the_turn_to_the_next(when: str) -> None:
    turns, held, done = Turns(), asyncio.Event(), list[str]()

    async def holds() -> None:
        async with turns.one("first", lambda: True):
            await held.wait()

    async def work(user: str) -> None:
        async with turns.one(user, lambda: True):
            done.append(user)

    async with asyncio.timeout(60):
        first = asyncio.create_task(holds())
        await asyncio.sleep(0)
        gives_up, stays = asyncio.create_task(work("gives up")), asyncio.create_task(work("stays"))
        await asyncio.sleep(0)
        if when == "as its turn comes":
            turns._pass_on()  # its turn now, and it does not know yet
        gives_up.cancel()
        held.set()
        await asyncio.gather(first, stays)
    assert done == ["stays"]
    with pytest.raises(asyncio.CancelledError):
        await gives_up


async def test_who_waits_for_its_turn_hears_that_somebody_is_there_and_no_time_of_what_it_has_not() -> None:
    async with a_floor(50) as floor, floor.feed() as before, floor.feed() as late, floor.feed() as back:
        await say(before, type="subscribe")
        epoch = (await message(before, "snapshot"))["epoch"]
        hub = floor.monitor.hub
        async with hub.turn_of(LOCAL, None, Lens(asked=Wanted(sites=frozenset({"nowhere"})))):
            await say(late, type="subscribe", filter={"teams": ["red"]})
            await say(back, type="resume", epoch=epoch, position=7, filter={"teams": ["blue"]})
            for _ in range(2):
                assert await message(late, "clock") == {"type": "clock", "sites": {}, "position": 0}
                assert await message(back, "clock") == {"type": "clock", "sites": {}, "position": 7}
            assert (await message(before, "clock"))["sites"], "others hear the time"
        await message(late, "snapshot")
        await message(back, "snapshot")
        assert (await message(late, "clock"))["sites"]


async def test_nothing_is_done_for_who_hung_up_while_waiting() -> None:
    async with a_floor(50) as floor, floor.feed() as gone, floor.feed() as stays:
        hub = floor.monitor.hub
        async with hub.turn_of(LOCAL, None, Lens(asked=Wanted(sites=frozenset({"nowhere"})))):
            for client in (gone, stays):
                await message(client, "hello")
                await say(client, type="subscribe", filter={"teams": ["red" if client is gone else "blue"]})
                await message(client, "clock")
            await gone.close()
            groups = len(hub._groups)
        await message(stays, "snapshot")
        assert len(hub._groups) == groups + 1
