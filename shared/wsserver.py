"""uvicorn's WebSocket protocol, open to those who write ready frames themselves.

A thousand clients that are to get the same bytes need neither a task nor an encoder each: they need one `transport.write`.
The connection finds its protocol in the ASGI scope, under `extensions[EXTENSION]`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from shared.tlstransport import cut, safe

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

EXTENSION: Final = "floorwatch.direct"
TOO_MANY_FRAMES: Final = 4429  # a close code, as for too many messages
FRAMES_PER_S: Final = 100.0  # pings, pongs and parts of messages too, for none of them is free to read
_BURST: Final = 500.0
_GOODBYE_S: Final = 1.0
_SLICE: Final = 2048  # bytes; the tiniest frames in them are not yet many


def _nothing(may_write: bool) -> None:
    pass


class DirectProtocol(WebSocketsSansIOProtocol):
    """As uvicorn's; besides it tells when its transport takes more, and closes without waiting for that."""

    on_writable: Callable[[bool], None] = staticmethod(_nothing)
    may_write = True
    frames_per_s = FRAMES_PER_S  # of this connection
    heard_at = 0.0  # of the loop's clock, when something came last
    _frames_left = _BURST
    _counted_at = 0.0
    _flooded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it over from the protocol that read its head."""
        super().connection_made(safe(transport))

    def data_received(self, data: bytes) -> None:
        """Read it piece by piece, and no further once the client sent more frames than it may: what nobody waits for, such as
        pings and empty parts of a message, must not keep the loop either."""
        self.heard_at = self.loop.time()
        for begin in range(0, len(data), _SLICE):
            if self._flooded or self.transport.is_closing():
                return
            super().data_received(data[begin : begin + _SLICE])
            if self._frames_left < 0.0:
                self._end_flood()

    def handle_connect(self, event: Request) -> None:
        """Begin, or refuse what is no question for a WebSocket: also one who does not read that is let go."""
        super().handle_connect(event)
        if self.close_sent:
            self.loop.call_later(_GOODBYE_S, cut, self.transport)

    def handle_events(self) -> None:
        """As uvicorn's, and count what came."""
        found = self.conn.events
        now = self.loop.time()
        self._frames_left = min(_BURST, self._frames_left + (now - self._counted_at) * self.frames_per_s) - len(found)
        self._counted_at = now
        super().handle_events()

    def handle_ping(self) -> None:
        """Answer, unless the client does not take what it was sent: its answers would wait here without an end."""
        answer = b"".join(self.conn.data_to_send())
        if self.may_write:
            self.transport.write(answer)

    def _end_flood(self) -> None:
        self._flooded = True
        if self.handshake_complete:
            self.close_now(TOO_MANY_FRAMES, f"more than {self.frames_per_s:g} frames a second", _GOODBYE_S)
            self.transport.pause_reading()
        else:
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        """Cut the line of one that no longer answers pings: it would not read a goodbye, nor what waits before it."""
        super().keepalive_timeout()
        self.transport.abort()

    async def run_asgi(self) -> None:
        """Serve the connection, which finds this protocol in its scope."""
        extensions = self.scope.get("extensions")
        if extensions is not None:
            extensions[EXTENSION] = self  # type: ignore[assignment]  # what it maps to is the extension's own affair
        await super().run_asgi()
        # closing waits until everything was read: not for one who does not read
        self.loop.call_later(self.close_timeout, cut, self.transport)

    async def send(self, message: ASGISendEvent) -> None:
        """Send it. An answer of HTTP that refuses the WebSocket ends the handshake, which uvicorn's takes for forgotten: it
        would call each refusal an error in the log."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def pause_writing(self) -> None:
        """The transport holds as much as it may."""
        super().pause_writing()
        self.may_write = False
        self.on_writable(False)

    def resume_writing(self) -> None:
        """It takes more."""
        super().resume_writing()
        if not self.disconnected and not self.close_sent:
            self.may_write = True
            self.on_writable(True)

    def connection_lost(self, exc: Exception | None) -> None:
        """It takes nothing any more."""
        self.may_write = False
        self.on_writable(False)
        super().connection_lost(exc)

    def close_now(self, code: int, reason: str, within_s: float) -> None:
        """Say goodbye behind what was written, and cut the line of a client that has not answered `within_s` seconds later."""
        if self.disconnected:
            return
        self.may_write = False
        if not self.close_sent and not self.transport.is_closing():
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            if self.read_paused:
                self.read_paused = False
                self.transport.resume_reading()
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(within_s, self.transport.abort)
        self.writable.set()  # whoever waits for that hears of the end instead
