"""Following the feed: connect, subscribe or resume, come back as the close code says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from random import random
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from floorwatch.watch.picture import Picture
from shared.clock import Clock
from shared.errors import FloorwatchError
from shared.hosts import SETTING

SILENCE_S: Final = 3.0  # the monitor speaks twice a second; a client that hears nothing so long is not connected
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 5.0
_MAX_MESSAGE_BYTES: Final = 16 << 20


class WatchRefused(FloorwatchError):
    """The monitor said not to come back."""


@dataclass(frozen=True)
class Wanted:
    """What to follow. `filter` may name `sites`, `teams`, `queues` and `agents`; what is empty restricts nothing."""

    url: str
    token: str = ""
    channels: tuple[str, ...] = ()
    filter: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def message(self, picture: Picture) -> str:
        """`resume` where there is something to resume, `subscribe` otherwise."""
        message: dict[str, Any] = {"type": "subscribe"}
        if picture.epoch is not None and picture.position is not None:
            message = {"type": "resume", "epoch": picture.epoch, "position": picture.position}
        if self.channels:
            message["channels"] = list(self.channels)
        if chosen := {name: list(values) for name, values in self.filter.items() if values}:
            message["filter"] = chosen
        return json.dumps(message)


class Follower:
    """One client of the feed. `picture` is what it knows; `state` in words what the connection does."""

    def __init__(self, wanted: Wanted, clock: Clock, on_state: Callable[[str], None] = lambda state: None) -> None:
        self.picture = Picture()
        self.state = "connecting"
        self._wanted = wanted
        self._clock = clock
        self._on_state = on_state
        self._attempt = 0

    async def messages(self) -> AsyncGenerator[Mapping[str, Any]]:
        """Every message, each already taken into the picture, for ever. Raises WatchRefused when coming back is no use."""
        while True:
            try:
                async with aclosing(self._connection()) as connection:
                    async for message in connection:
                        self._attempt = 0 if message["type"] in ("snapshot", "resumed") else self._attempt
                        yield message
                reason = "closed"
            except InvalidStatus as exc:
                reason = f"the monitor answered {exc.response.status_code}"
                if exc.response.status_code in (401, 403):
                    raise WatchRefused(f"{reason}: give a token with --token or FLOORWATCH_TOKEN") from exc
                if exc.response.status_code == 421:
                    advice = f"go by its address, or list the name that you go by in its {SETTING}"
                    raise WatchRefused(f"{reason}: {advice}") from exc
            except ConnectionClosed as exc:
                code = exc.rcvd.code if exc.rcvd is not None else None
                reason = exc.rcvd.reason if exc.rcvd is not None and exc.rcvd.reason else f"closed ({code})"
                if code is not None and 4000 <= code < 4500:
                    raise WatchRefused(f"the monitor refused this client ({code}): {reason}") from exc
            except (OSError, TimeoutError, InvalidHandshake) as exc:
                reason = str(exc) or type(exc).__name__
            await self._wait(reason)

    async def _connection(self) -> AsyncGenerator[Mapping[str, Any]]:
        headers = {"Authorization": f"Bearer {self._wanted.token}"} if self._wanted.token else {}
        async with connect(
            self._wanted.url,
            additional_headers=headers,
            max_size=_MAX_MESSAGE_BYTES,
            compression=None,
            open_timeout=SILENCE_S,
            close_timeout=1.0,
            proxy=None,
        ) as socket:
            while True:
                message = json.loads(await self._hear(socket))
                if message["type"] == "hello":
                    await socket.send(self._wanted.message(self.picture))
                self.picture.take(message, self._clock.monotonic())
                if message["type"] in ("snapshot", "resumed"):
                    self._tell("live")
                yield message

    async def _hear(self, socket: ClientConnection) -> str | bytes:
        async with asyncio.timeout(SILENCE_S):
            return await socket.recv()

    async def _wait(self, reason: str) -> None:
        full = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._attempt)
        wait = full * (0.5 + random() / 2)  # so that a hundred clients do not knock at once
        self._attempt = min(self._attempt + 1, 10)
        self._tell(f"not connected: {reason}; next try in {wait:.1f} s")
        await self._clock.sleep(wait)

    def _tell(self, state: str) -> None:
        self.state = state
        self._on_state(state)
