"""Who may follow the feed, how much they may say, and what they are told when they may not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from shared.events import AgentLoggedOn, CallStarted, LegStarted, LinkUp
from shared.memorybus import MemoryBus
from tests.authkit import SECRET, bearer, token, users_file
from tests.contract.test_feed_clients import close_code
from tests.contract.test_monitor import Running, message, running, say

USERS = """
users:
  all: {roles: [supervisor]}
  red: {name: Rot, roles: [viewer], sites: [hq], queues: [sales]}
  elsewhere: {roles: [viewer], sites: [north]}
"""


@asynccontextmanager
async def guarded(path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Running]:
    """A monitor with users."""
    monkeypatch.setenv("AUTH_SECRET", SECRET)
    monkeypatch.setenv("AUTH_USERS_FILE", str(users_file(path, USERS)))
    async with running(MemoryBus(), **settings) as floor:
        await floor.happens(
            0,
            LinkUp(connector="test"),
            AgentLoggedOn(agent_id="1", queues=("sales",)),
            AgentLoggedOn(agent_id="2", queues=("support",)),
        )
        yield floor


def coming(floor: Running, user: str = "", query: str = "") -> connect:
    return connect(f"ws://127.0.0.1:{floor.port}/api/v1/feed{query}", additional_headers=bearer(user) if user else {})


async def ticket(floor: Running, user: str) -> str:
    url = f"http://127.0.0.1:{floor.port}/api/v1/tickets"
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(url, headers=bearer(user))
    assert answer.status_code == 201
    return str(answer.json()["ticket"])


async def test_without_token_or_ticket_nobody_hears_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(tmp_path, monkeypatch) as floor:
        for query in ("", "?ticket=", "?ticket=made-up", f"?token={token('all')}"):
            async with coming(floor, query=query) as client:
                assert await close_code(client) == 4401
        forged = bearer("all", secret="x" * 40)
        async with connect(f"ws://127.0.0.1:{floor.port}/api/v1/feed", additional_headers=forged) as client:
            assert await close_code(client) == 4401


async def test_a_page_whose_name_came_to_mean_this_machine_is_refused_the_feed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(MemoryBus()) as floor:
        feed = f"ws://{{}}:{floor.port}/api/v1/feed"
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                feed.format("evil.example"),
                host="127.0.0.1",
                port=floor.port,
                additional_headers={"origin": f"http://evil.example:{floor.port}"},
            )
        assert refused.value.response.status_code == 421
        assert "FLOORWATCH_ALLOWED_HOSTS" in json.loads(refused.value.response.body or b"")["detail"]
        own = {"origin": f"http://localhost:{floor.port}"}
        async with connect(
            feed.format("localhost"), host="127.0.0.1", port=floor.port, additional_headers=own
        ) as client:
            assert await message(client, "hello")
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []  # a refusal is no fault


async def test_a_ticket_opens_one_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(tmp_path, monkeypatch) as floor:
        query = f"?ticket={await ticket(floor, 'all')}"
        async with coming(floor, query=query) as first, coming(floor, query=query) as second:
            assert (await message(first, "hello"))["user"]["user"] == "all"
            assert await close_code(second) == 4401


async def test_hello_says_who_one_is_what_one_sees_and_how_much_one_may_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"messages_per_s": 7.0, "max_unsent_bytes": 100_000}
    async with guarded(tmp_path, monkeypatch, **limits) as floor, coming(floor, "red") as client:
        assert await message(client, "hello") == {
            "type": "hello",
            "version": 1,
            "user": {"user": "red", "name": "Rot", "roles": ["viewer"]},
            "scope": {"sites": ["hq"], "teams": None, "queues": ["sales"]},
            "limits": {"max_message_bytes": 65536, **limits},
        }


async def test_feed_and_rest_show_the_same_part_of_the_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(tmp_path, monkeypatch) as floor:
        for user, agents in (("all", ["1", "2"]), ("red", ["1"]), ("elsewhere", [])):
            async with coming(floor, user) as client:
                await say(client, type="subscribe")
                told = await message(client, "snapshot")
                answer = await floor.http.get("/api/v1/floor", headers=bearer(user))
                assert [one["agent_id"] for one in told["floor"]["agents"]] == agents
                assert (answer.json()["floor"]["agents"], answer.json()["epoch"]) == (
                    told["floor"]["agents"],
                    told["epoch"],
                )


async def test_what_somebody_may_not_see_any_more_is_taken_back_with_its_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded(tmp_path, monkeypatch) as floor, coming(floor, "red") as client:
        await say(client, type="subscribe")
        await message(client, "snapshot")
        await floor.happens(1, CallStarted(call_id="c"), LegStarted(call_id="c", leg_id="l", agent_id="1"))
        assert {"hq/1", "hq/c"} <= await told(client, values=True)
        await floor.happens(2, AgentLoggedOn(agent_id="1", queues=("support",)))
        assert {"hq/1", "hq/c"} <= await told(client, values=False)
        await floor.happens(3, AgentLoggedOn(agent_id="2", queues=("sales",)))
        assert "hq/2" in await told(client, values=True)


async def told(client: ClientConnection, *, values: bool) -> set[str]:
    """Of the next delta that is about agents, what it gives or takes back."""
    found: set[str] = set()
    while not any(key in found for key in ("hq/1", "hq/2")):
        changes = (await message(client, "delta"))["changes"]
        found |= {change["key"] for change in changes if (change["value"] is not None) == values}
    return found


async def test_a_token_that_ends_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(tmp_path, monkeypatch) as floor:
        short = bearer("all", hours=8 / 3600)
        async with connect(f"ws://127.0.0.1:{floor.port}/api/v1/feed", additional_headers=short) as client:
            await say(client, type="subscribe")
            await message(client, "snapshot")
            assert await close_code(client) == 4511


async def test_who_may_see_something_else_now_must_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(tmp_path, monkeypatch) as floor, coming(floor, "red") as client:
        await say(client, type="subscribe")
        await message(client, "snapshot")
        users_file(tmp_path, USERS.replace("queues: [sales]", "queues: [support]"))
        assert await close_code(client) == 4511
        async with coming(floor, "red") as again:
            await say(again, type="subscribe")
            told = await message(again, "snapshot")
            assert [one["agent_id"] for one in told["floor"]["agents"]] == ["2"]


async def test_one_user_has_so_many_connections_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        guarded(tmp_path, monkeypatch, max_connections=2) as floor,
        coming(floor, "all") as first,
        coming(floor, "all") as second,
        coming(floor, "all") as third,
    ):
        await message(first, "hello")
        await message(second, "hello")
        assert await close_code(third) == 4508
        async with coming(floor, "red") as other:
            await message(other, "hello")
        await first.close()
        async with asyncio.timeout(60):
            while len(floor.monitor.hub._connected) > 1:
                await asyncio.sleep(0)
        async with coming(floor, "all") as fourth:
            await message(fourth, "hello")


async def test_one_user_has_so_many_filters_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        guarded(tmp_path, monkeypatch, max_filters=1) as floor,
        coming(floor, "all") as first,
        coming(floor, "all") as second,
        coming(floor, "all") as third,
        coming(floor, "all") as fourth,
    ):
        for client in (first, second):  # the same for two counts once
            await say(client, type="subscribe", filter={"teams": ["Red"]})
            await message(client, "snapshot")
        await say(third, type="subscribe")  # and everything is no filter
        await message(third, "snapshot")
        await say(fourth, type="subscribe", filter={"teams": ["Blue"]})
        assert await close_code(fourth) == 4508
        await second.close()
        async with asyncio.timeout(60):
            while len(floor.monitor.hub._connected) > 2:
                await asyncio.sleep(0)
        await say(first, type="subscribe", filter={"teams": ["Blue"]})  # in place of the one before
        await message(first, "snapshot")


async def test_one_who_says_too_much_is_let_go_after_what_was_fair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded(tmp_path, monkeypatch, messages_per_s=0.01) as floor, coming(floor, "all") as client:
        assert (await message(client, "hello"))["limits"]["messages_per_s"] == 0.01
        await say(client, type="ping", id="a")
        assert await message(client, "pong") == {"type": "pong", "id": "a"}
        await client.send(json.dumps({"type": "ping"}))
        assert await close_code(client) == 4429
