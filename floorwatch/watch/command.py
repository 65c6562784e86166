"""The command: a screen that stays current, one picture, or every message as a line."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from typing import Final, Literal

from rich.console import Console
from rich.live import Live

from floorwatch.watch.client import Follower, Wanted, WatchRefused
from floorwatch.watch.screen import screen
from shared.clock import Clock, SystemClock

How = Literal["screen", "once", "json"]

_DRAW_S: Final = 0.25
_NOT_AGENTS: Final = 24  # lines that queues, flags and transfers usually need


async def watch(wanted: Wanted, how: How, *, agents: bool = True, patience_s: float = 10.0) -> None:
    """Follow the feed until interrupted; with `once` until the first whole picture. Raises WatchRefused."""
    clock = SystemClock()
    if how == "screen":
        await _on_screen(wanted, clock, agents)
    elif how == "json":
        await _as_lines(wanted, clock)
    else:
        await _once(wanted, clock, agents, patience_s)


async def _on_screen(wanted: Wanted, clock: Clock, agents: bool) -> None:
    console = Console()
    follower = Follower(wanted, clock)

    async def follow() -> None:
        async with aclosing(follower.messages()) as messages:
            async for _ in messages:
                pass

    following = asyncio.create_task(follow(), name="follow the feed")
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while not following.done():
                width, rows = console.width, max(5, console.size.height - _NOT_AGENTS)
                live.update(
                    screen(follower.picture, follower.state, clock.monotonic(), width, rows, agents), refresh=True
                )
                await clock.sleep(_DRAW_S)
        following.result()
    finally:
        following.cancel()


async def _as_lines(wanted: Wanted, clock: Clock) -> None:
    follower = Follower(wanted, clock, _say)
    async with aclosing(follower.messages()) as messages:
        async for message in messages:
            sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
            sys.stdout.flush()


async def _once(wanted: Wanted, clock: Clock, agents: bool, patience_s: float) -> None:
    follower = Follower(wanted, clock)
    try:
        async with asyncio.timeout(patience_s), aclosing(follower.messages()) as messages:
            async for message in messages:
                if message["type"] == "clock" and follower.picture.position is not None:
                    break
    except TimeoutError:
        raise WatchRefused(f"no picture within {patience_s:g} s: {follower.state}") from None
    console = Console()
    console.print(screen(follower.picture, "live", clock.monotonic(), console.width, rows=10_000, agents=agents))


def _say(state: str) -> None:
    sys.stderr.write(f"{state}\n")
