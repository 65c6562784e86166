"""The way out to a client: ready frames written straight to the transport of uvicorn's WebSocket protocol.

`floorwatch` serves with `FeedProtocol` (`shared.service.serve`). Then a frame costs a write and no task, and what waits for a
slow reader is the transport's buffer, whose bound the hub sets. Under any other server (Starlette's TestClient, uvicorn as it
comes) a task per connection sends one frame after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from collections.abc import Callable
from typing import Final, Protocol

from fastapi import WebSocket, WebSocketDisconnect

from shared.frames import FRAME_BYTES, Frame
from shared.wsserver import EXTENSION, DirectProtocol

CLOSE_WITHIN_S: Final = 2.0  # a client that does not read never gets the code; its connection must not stay for that


class Outlet(Protocol):
    """A connection's way out. `write` only while it is `ready`; it calls `on_ready` when it is so again."""

    ready: bool

    def write(self, frame: Frame) -> None:
        """Send a frame, now or as soon as what was written before has left."""

    def taken(self) -> int:
        """Bytes that the other side's connection has taken so far."""

    def unsent(self) -> int:
        """Bytes that wait here."""

    def close(self, code: int, reason: str) -> None:
        """End the connection with this code, and without one where the client does not read."""


class FeedOutlet(Outlet, Protocol):
    """What the connection's coroutine needs besides: to wait until a client that is behind took what it was sent."""

    def begin(self, on_ready: Callable[[], None]) -> None:
        """From now on frames may be written."""

    async def caught_up(self) -> None:
        """Wait until a frame may be written, or the connection is gone."""

    @property
    def gone(self) -> bool:
        """Whether it is known already that nobody is there any more."""

    async def finish(self) -> None:
        """Release what the outlet holds."""


def outlet_of(socket: WebSocket, max_unsent_bytes: int) -> FeedOutlet:
    """The best way out that this connection has."""
    protocol = socket.scope.get("extensions", {}).get(EXTENSION)
    if isinstance(protocol, DirectProtocol):
        return DirectOutlet(protocol, max_unsent_bytes)
    return TaskOutlet(socket)


class DirectOutlet(FeedOutlet):
    """Writes to the transport. What waits there is at most `max_unsent_bytes`, the frame that was written last included."""

    def __init__(self, protocol: DirectProtocol, max_unsent_bytes: int) -> None:
        self._protocol = protocol
        self._write = protocol.transport.write
        self._written = 0
        self._on_ready: Callable[[], None] = lambda: None
        self.ready = False
        protocol.transport.set_write_buffer_limits(high=max(max_unsent_bytes - FRAME_BYTES, 0))
        found = protocol.transport.get_extra_info("socket")
        if found is not None:  # the kernel's buffer would grow to megabytes, all of them older than what waits here
            with contextlib.suppress(OSError):
                found.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, max(max_unsent_bytes // 2, FRAME_BYTES))

    def begin(self, on_ready: Callable[[], None]) -> None:
        self._on_ready = on_ready
        self._protocol.on_writable = self._turned
        self._turned(self._protocol.may_write)

    def _turned(self, may_write: bool) -> None:
        self.ready = may_write
        if may_write:
            self._on_ready()

    def write(self, frame: Frame) -> None:
        self._written += len(frame.wire)
        self._write(frame.wire)

    def taken(self) -> int:
        return self._written - self.unsent()

    def unsent(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        self.ready = False
        self._protocol.on_writable = _nothing
        self._protocol.close_now(code, reason, CLOSE_WITHIN_S)

    @property
    def gone(self) -> bool:
        return self._protocol.transport.is_closing()

    async def caught_up(self) -> None:
        await self._protocol.writable.wait()

    async def finish(self) -> None:
        self.ready = False
        self._protocol.on_writable = _nothing


def _nothing(may_write: bool) -> None:
    pass


class TaskOutlet(FeedOutlet):
    """Sends through the ASGI connection, one frame at a time."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._frame: Frame | None = None
        self._closing: tuple[int, str] | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._taken = 0
        self._task: asyncio.Task[None] | None = None
        self._on_ready: Callable[[], None] = lambda: None
        self.ready = False

    def begin(self, on_ready: Callable[[], None]) -> None:
        self._on_ready = on_ready
        self._task = asyncio.create_task(self._send(), name="feed writer")
        self.ready = True
        self._idle.set()
        on_ready()

    def write(self, frame: Frame) -> None:
        self.ready = False
        self._frame = frame
        self._idle.clear()
        self._wake.set()

    def taken(self) -> int:
        return self._taken

    def unsent(self) -> int:
        return 0 if self._frame is None else len(self._frame.wire)

    def close(self, code: int, reason: str) -> None:
        self.ready = False
        self._closing = (code, reason)
        self._idle.set()
        self._wake.set()

    async def _send(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone: the reader notices, too
            while self._closing is None:
                await self._wake.wait()
                self._wake.clear()
                if self._frame is not None:
                    await self._socket.send_text(self._frame.text)
                    self._taken += len(self._frame.wire)
                    self._frame = None
                    self.ready = self._closing is None
                    if self.ready:
                        self._idle.set()
                        self._on_ready()
            await self._socket.close(*self._closing)
        self.ready = False
        self._idle.set()

    @property
    def gone(self) -> bool:
        return self._task is not None and self._task.done()

    async def caught_up(self) -> None:
        await self._idle.wait()

    async def finish(self) -> None:
        self.ready = False
        if self._task is not None:
            if self._closing is not None:
                await asyncio.wait([self._task], timeout=CLOSE_WITHIN_S)
            self._task.cancel()
            await asyncio.wait([self._task])
