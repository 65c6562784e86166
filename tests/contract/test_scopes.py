"""Who sees what over the real monitor: the same for REST and feed, and what is not theirs is as if it were not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from shared.auth import COOKIE
from shared.events import AgentLoggedOn, CallQueued, CallStarted, LegStarted, LinkUp
from shared.memorybus import MemoryBus
from tests.authkit import USERS, bearer, settings, token, users_file
from tests.contract.test_monitor import Running, message, running, say
from tests.floorkit import SITE


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Running]:
    users_file(tmp_path)
    async with running(MemoryBus(), **settings(tmp_path)) as found:
        await found.happens(
            0,
            LinkUp(connector="test"),
            AgentLoggedOn(agent_id="1", team="Blue", queues=("sales",)),
            AgentLoggedOn(agent_id="2", team="Red", queues=("support",)),
            CallStarted(call_id="b"),
            CallQueued(call_id="b", queue="sales"),
            LegStarted(call_id="b", leg_id="lb", agent_id="1"),
            CallStarted(call_id="r"),
            CallQueued(call_id="r", queue="support"),
            LegStarted(call_id="r", leg_id="lr", agent_id="2"),
        )
        yield found


async def rest(floor: Running, user: str, path: str = "/api/v1/floor") -> Any:
    answer = await floor.http.get(path, headers=bearer(user))
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(picture: dict[str, Any]) -> dict[str, list[str]]:
    """What of a picture is shown, by its ids."""
    keys = {"sites": "site", "queues": "queue", "agents": "agent_id", "calls": "call_id"}
    return {what: sorted(one[key] for one in picture[what]) for what, key in keys.items()}


async def feed_of(floor: Running, user: str) -> dict[str, Any]:
    """The snapshot that a client with this user's ticket gets."""
    made = await floor.http.post("/api/v1/tickets", headers=bearer(user))
    assert made.status_code == 201
    assert made.json()["expires_in_s"] == 30
    url = f"ws://127.0.0.1:{floor.port}/api/v1/feed?ticket={made.json()['ticket']}"
    async with connect(url) as socket:
        assert (await message(socket, "hello"))["user"]["user"] == user
        await say(socket, type="subscribe")
        found = await message(socket, "snapshot")
    with pytest.raises(ConnectionClosed) as told:
        async with connect(url) as socket:
            await socket.recv()
    assert told.value.rcvd is not None
    assert told.value.rcvd.code == 4401  # a ticket is good once
    picture: dict[str, Any] = found["floor"]
    return picture


async def test_each_sees_their_own_and_the_feed_shows_what_rest_shows(floor: Running) -> None:
    expected = {
        "supervisor": {"sites": [SITE], "queues": ["sales", "support"], "agents": ["1", "2"], "calls": ["b", "r"]},
        "blue": {"sites": [SITE], "queues": ["sales", "support"], "agents": ["1"], "calls": ["b"]},
        "sales": {"sites": [SITE], "queues": ["sales"], "agents": ["1"], "calls": ["b"]},
        "elsewhere": {"sites": [], "queues": [], "agents": [], "calls": []},
    }
    for user, seen in expected.items():
        assert ids((await rest(floor, user))["floor"]) == seen, user
        assert ids(await feed_of(floor, user)) == seen, user


async def test_a_filter_narrows_and_never_widens(floor: Running) -> None:
    narrowed = await rest(floor, "supervisor", f"/api/v1/floor?team=Red&site={SITE}")
    assert ids(narrowed["floor"])["agents"] == ["2"]
    one = await rest(floor, "supervisor", f"/api/v1/floor?agent={SITE}/1&agent={SITE}/9")
    assert ids(one["floor"])["agents"] == ["1"]
    assert ids((await rest(floor, "blue", "/api/v1/floor?team=Red"))["floor"])["agents"] == []


@pytest.mark.parametrize(
    ("user", "path", "unknown"),
    [
        ("blue", f"/api/v1/agents/{SITE}/2", f"/api/v1/agents/{SITE}/9"),
        ("elsewhere", f"/api/v1/agents/{SITE}/1", f"/api/v1/agents/{SITE}/9"),
        ("sales", f"/api/v1/queues/{SITE}/support", f"/api/v1/queues/{SITE}/nine"),
        ("sales", f"/api/v1/queues/{SITE}/support/intervals", f"/api/v1/queues/{SITE}/nine/intervals"),
        ("blue", f"/api/v1/sites/{SITE}/figures", "/api/v1/sites/nine/figures"),
        ("elsewhere", f"/api/v1/sites/{SITE}/anomalies", "/api/v1/sites/nine/anomalies"),
    ],
)
async def test_what_is_not_theirs_is_as_if_it_were_not_there(
    floor: Running, user: str, path: str, unknown: str
) -> None:
    hidden = await floor.http.get(path, headers=bearer(user))
    none = await floor.http.get(unknown, headers=bearer(user))
    assert (await floor.http.get(path, headers=bearer("admin"))).status_code == 200
    assert hidden.status_code == none.status_code == 404

    def shape(text: str, asked: str) -> str:
        for part in asked.split("/")[4:]:
            text = text.replace(f" {part} ", " - ").replace(asked, "-")
        return text

    assert shape(hidden.text, path) == shape(none.text, unknown)


async def test_a_browser_signs_in_with_a_token_and_out_again(floor: Running) -> None:
    for said, reason in (
        ({"token": "nonsense"}, "invalid"),
        ({"token": token("nobody")}, "unknown_user"),
        ({"token": token("blue", hours=-1)}, "expired"),
    ):
        refused = await floor.http.post("/api/v1/session", json=said)
        assert (refused.status_code, refused.json()["reason"]) == (401, reason)
        assert "set-cookie" not in refused.headers
    elsewhere = {"origin": "http://elsewhere.example"}
    assert (
        await floor.http.post("/api/v1/session", json={"token": token("blue")}, headers=elsewhere)
    ).status_code == 403
    entered = await floor.http.post("/api/v1/session", json={"token": token("blue")})
    assert entered.status_code == 200
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/", "expires="):
        assert part in cookie
    me = (await floor.http.get("/api/v1/me")).json()
    assert (me["user"], me["mode"], me["scope"]) == (
        "blue",
        "users",
        {"sites": None, "teams": ["Blue"], "queues": None},
    )
    assert me["permissions"] == ["floor.read", "floor.act", "history.read", "calls.listen", "calls.speak"]
    assert ids((await floor.http.get("/api/v1/floor")).json()["floor"])["agents"] == ["1"]
    assert (await floor.http.delete("/api/v1/session")).status_code == 403  # which page does that?
    here = {"origin": str(floor.http.base_url).rstrip("/")}
    assert (await floor.http.delete("/api/v1/session", headers=here)).status_code == 204
    assert (await floor.http.get("/api/v1/me")).status_code == 401


async def test_an_agent_without_a_role_learns_which_one_they_are(floor: Running, tmp_path: Path) -> None:
    assert (await floor.http.get("/api/v1/me", headers=bearer("viewer"))).json()["agent"] == ""
    users_file(tmp_path, f"{USERS}  anna: {{agent: test/1}}\n")
    async with asyncio.timeout(60):
        while (found := await floor.http.get("/api/v1/me", headers=bearer("anna"))).status_code == 401:
            await asyncio.sleep(0.05)
    assert (found.json()["agent"], found.json()["permissions"]) == ("test/1", [])
    refused = await floor.http.get("/api/v1/floor", headers=bearer("anna"))
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "anna (no role) may not do this: it needs floor.read",
    )


async def test_a_feed_that_is_open_ends_when_its_user_is_taken_out(floor: Running, tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{floor.port}/api/v1/feed"
    async with connect(url, additional_headers=bearer("viewer")) as socket:
        await say(socket, type="subscribe")
        await message(socket, "snapshot")
        users_file(tmp_path, USERS.replace("  viewer: {roles: [viewer]}\n", ""))
        with pytest.raises(ConnectionClosed) as told:
            await message(socket, "never")
    assert told.value.rcvd is not None
    assert told.value.rcvd.code == 4511


async def test_without_users_everybody_sees_all_and_needs_no_ticket() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, LinkUp(connector="test"), AgentLoggedOn(agent_id="1"))
        me = (await floor.http.get("/api/v1/me")).json()
        assert (me["user"], me["mode"], me["roles"]) == ("local", "local", ["inspector", "operations", "supervisor"])
        entered = await floor.http.post("/api/v1/session", json={"token": "anything"})
        assert entered.status_code == 200
        assert "set-cookie" not in entered.headers
        for query in ("", "?ticket=nonsense"):
            async with connect(f"ws://127.0.0.1:{floor.port}/api/v1/feed{query}") as socket:
                assert json.loads(await socket.recv())["scope"] == {"sites": None, "teams": None, "queues": None}
