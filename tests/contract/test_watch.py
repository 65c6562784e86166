"""`floorwatch watch` against the real monitor: it knows what a new client is told, and comes back by itself."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from rich.console import Console

from floorwatch.watch.client import Follower, Wanted, WatchRefused
from floorwatch.watch.picture import Picture
from floorwatch.watch.screen import screen
from shared.clock import SystemClock
from shared.events import AgentLoggedOn, CallQueued, CallStarted, LinkUp, TransferRequested
from shared.memorybus import MemoryBus
from tests.contract.test_monitor import Running, running
from tests.floorkit import SITE

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def floor() -> AsyncIterator[Running]:
    async with running(MemoryBus()) as floor:
        await floor.happens(
            0,
            LinkUp(connector="test", simulated=True),
            AgentLoggedOn(agent_id="1", name="Anna", team="Blue"),
            AgentLoggedOn(agent_id="2", name="Bo", team="Red"),
            CallStarted(call_id="c", from_number="+4559778150"),
            CallQueued(call_id="c", queue="sales"),
        )
        yield floor


def wanted(floor: Running, **others: Any) -> Wanted:
    return Wanted(f"ws://127.0.0.1:{floor.port}/api/v1/feed", **others)


async def until(follower: Follower, *kinds: str) -> list[str]:
    """The kinds of messages heard up to the first of one of `kinds`."""
    heard: list[str] = []
    async with asyncio.timeout(60), aclosing(follower.messages()) as messages:
        async for message in messages:
            heard.append(message["type"])
            if message["type"] in kinds:
                break
    return heard


def entities(floor: dict[str, Any]) -> dict[str, dict[str, Any]]:
    picture = Picture()
    picture.take({"type": "snapshot", "epoch": "e", "position": 0, "floor": floor}, 0.0)
    return {kind: dict(found) for kind, found in picture.floor.items()}


async def test_its_picture_is_that_of_the_api(floor: Running) -> None:
    follower = Follower(wanted(floor), SystemClock())
    await until(follower, "clock")
    shown = (await floor.http.get("/api/v1/floor")).json()
    assert {kind: dict(found) for kind, found in follower.picture.floor.items()} == entities(shown["floor"])
    assert follower.picture.floor["agent"].keys() == {f"{SITE}/1", f"{SITE}/2"}


async def test_it_resumes_after_a_break_and_knows_what_it_missed(floor: Running) -> None:
    follower = Follower(wanted(floor), SystemClock())
    assert "snapshot" in await until(follower, "clock")
    transfer = TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2")
    await floor.happens(5, transfer)
    heard = await until(follower, "delta")
    assert "resumed" in heard
    assert "snapshot" not in heard
    assert follower.picture.floor["transfer"].keys() == {f"{SITE}/t"}


async def test_a_filter_narrows_it(floor: Running) -> None:
    follower = Follower(wanted(floor, filter={"teams": ("Red",)}, channels=("agents",)), SystemClock())
    await until(follower, "clock")
    assert follower.picture.floor["agent"].keys() == {f"{SITE}/2"}
    assert not follower.picture.floor["queue"]


async def test_it_does_not_come_back_where_that_is_no_use(floor: Running) -> None:
    follower = Follower(wanted(floor, channels=("weather",)), SystemClock())
    with pytest.raises(WatchRefused, match="4400"):
        await until(follower, "snapshot")


async def test_the_screen_says_who_waits_and_what_is_not_known(floor: Running) -> None:
    follower, clock = Follower(wanted(floor), SystemClock()), SystemClock()
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(screen(follower.picture, follower.state, clock.monotonic(), 120, 10))
    assert "no floor yet: connecting" in console.export_text()
    await until(follower, "clock")
    console.print(screen(follower.picture, follower.state, clock.monotonic(), 120, 10))
    text = console.export_text()
    assert "SIMULATED" in text
    for word in ("sales", "Anna", "Blue", "Bo"):
        assert word in text
    (queue,) = [line for line in text.splitlines() if line.startswith("sales")]
    assert queue.split()[1] == "1"
    assert "–" in queue  # no call was answered: no service level, which is not 0 %


def test_a_snapshot_in_parts_is_nothing_until_it_is_whole() -> None:
    picture = Picture()
    agents = [{"site": "hq", "agent_id": str(n)} for n in range(3)]
    for part, agent in enumerate(agents, 1):
        assert picture.position is None
        whole = picture.take(
            {"type": "snapshot", "epoch": "e", "position": 4, "part": part, "parts": 3, "floor": {"agents": [agent]}},
            0.0,
        )
        assert whole is (part == 3)
    assert picture.floor["agent"].keys() == {"hq/0", "hq/1", "hq/2"}
    picture.take({"type": "snapshot", "epoch": "f", "position": 1, "part": 1, "parts": 2, "floor": {"agents": []}}, 0.0)
    assert (picture.epoch, picture.position) == ("e", 4)
    picture.take({"type": "hello"}, 0.0)
    picture.take({"type": "snapshot", "epoch": "g", "position": 9, "part": 1, "parts": 1, "floor": {"agents": []}}, 0.0)
    assert (picture.epoch, picture.position, picture.floor["agent"]) == ("g", 9, {})


async def command(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "floorwatch.cli", "watch", *arguments),
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_prints_one_picture(floor: Running) -> None:
    code, out, err = await command("--how", "once", "--url", wanted(floor).url)
    assert (code, err) == (0, "")
    assert "Anna" in out


async def test_the_command_names_what_is_in_the_way() -> None:
    code, _, err = await command("--how", "once", "--url", "ws://127.0.0.1:9/api/v1/feed", "--patience", "0.5")
    assert code == 2
    assert "Connect call failed" in err


async def test_messages_as_lines_are_those_of_the_feed(floor: Running) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "floorwatch.cli", "watch", "--how", "json", "--url", wanted(floor).url),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 24,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            kinds = [json.loads(await process.stdout.readline())["type"] for _ in range(3)]
    finally:
        process.kill()
        await process.wait()
    assert kinds == ["hello", "snapshot", "clock"]
