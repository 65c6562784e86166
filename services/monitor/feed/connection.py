"""One client's WebSocket: who it is, its few messages, until either side ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from fastapi import WebSocket

from services.monitor.feed import messages
from services.monitor.feed.hub import CLOCK_EVERY_S, Hub
from services.monitor.feed.quota import TooManyFilters
from services.monitor.feed.subscriber import Subscriber
from shared.auth import Authenticator, Principal, brief
from shared.outlets import FeedOutlet, outlet_of

_BURST_S: Final = 2.0  # so many seconds' messages may come at once
_LOOKED_S: Final = 0.2  # while it is waited for, so often: a thousand boards may wait


class TooManyMessages(Exception):
    """A client said more than it may."""


class Allowance:
    """How many messages a client may send: `per_s` in the long run, twice as many at once."""

    def __init__(self, per_s: float, now: float) -> None:
        self._per_s = per_s
        self._left = self._most = max(1.0, per_s * _BURST_S)
        self._at = now

    def take(self, now: float) -> None:
        """One message came. Raises TooManyMessages."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            raise TooManyMessages
        self._left -= 1.0


async def serve_feed(socket: WebSocket, hub: Hub, who: Principal) -> None:
    """Serve one connection, which is accepted and of `who`, from `hello` to its close code."""
    auth: Authenticator = socket.app.state.auth
    outlet = outlet_of(socket, hub.limits.max_unsent_bytes)
    subscriber = hub.join(outlet, who, valid=lambda: auth.current(who) == who)
    if subscriber is None:
        await socket.close(messages.TOO_MANY_CONNECTIONS, brief(f"{who.user} has too many connections"))
        return
    try:
        outlet.begin(subscriber.serve)
        await _read(socket, hub, subscriber, outlet)
    finally:
        hub.left(subscriber)
        await outlet.finish()


async def _read(socket: WebSocket, hub: Hub, subscriber: Subscriber, outlet: FeedOutlet) -> None:
    """Do what the client says. A client that does not take its answers is not listened to meanwhile."""
    loop = asyncio.get_running_loop()
    allowance = Allowance(hub.limits.messages_per_s, loop.time())
    while True:
        await outlet.caught_up()
        found = await socket.receive()
        if found["type"] != "websocket.receive" or subscriber.ended is not None:
            return
        try:
            allowance.take(loop.time())
            await _do(found.get("text"), hub, subscriber, outlet)
        except TooManyMessages:
            subscriber.end(messages.TOO_MANY_MESSAGES, f"more than {hub.limits.messages_per_s:g} messages a second")
        except TooManyFilters as exc:
            subscriber.end(messages.TOO_MANY_CONNECTIONS, brief(str(exc)))
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as exc:
            subscriber.end(messages.BAD_MESSAGE, brief(f"cannot read this message: {exc}"))


async def _do(text: str | None, hub: Hub, subscriber: Subscriber, outlet: FeedOutlet) -> None:
    if text is None:
        raise msgspec.DecodeError("binary frames are not understood: send JSON as text")
    message = messages.client_messages.decode(text)
    if isinstance(message, messages.Ping):
        subscriber.reply(messages.Pong(message.id))
        return
    async with _heard_from(subscriber, message):
        if isinstance(message, messages.Resume):
            await _begun(hub, subscriber, outlet)
        async with hub.turn(subscriber.who, message.channels, message.filter):
            if subscriber.ended is not None or outlet.gone:  # meanwhile, and then it is told nothing more
                return
            if isinstance(message, messages.Subscribe):
                hub.subscribe(subscriber, message.channels, message.filter)
            else:
                hub.resume(subscriber, message.epoch, message.position, message.channels, message.filter)


async def _begun(hub: Hub, subscriber: Subscriber, outlet: FeedOutlet) -> None:
    """A board that comes back keeps its picture until a monitor that has just been started knows a newer one."""
    while True:
        if not hub.beginning or subscriber.ended is not None or outlet.gone:
            return
        await asyncio.sleep(_LOOKED_S)


@asynccontextmanager
async def _heard_from(subscriber: Subscriber, message: messages.Subscribe | messages.Resume) -> AsyncIterator[None]:
    """While one that has nothing yet waits for its turn, tell it that somebody is there: the clock of no site, for what it
    has is as old as it was."""
    position = message.position if isinstance(message, messages.Resume) else 0

    async def tell() -> None:
        while True:
            await asyncio.sleep(CLOCK_EVERY_S)
            if subscriber.group is None and subscriber.outlet.ready:
                subscriber.reply(messages.Clocks({}, position))

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
