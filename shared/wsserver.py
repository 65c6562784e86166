"""uvicorn's WebSocket protocol, open to those who write ready frames themselves.

A thousand clients that are to get the same bytes need neither a task nor an encoder each: they need one `transport.write`.
The connection finds its protocol in the ASGI scope, under `extensions[EXTENSION]`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION: Final = "floorwatch.direct"


def _nothing(may_write: bool) -> None:
    pass


class DirectProtocol(WebSocketsSansIOProtocol):
    """As uvicorn's; besides it tells when its transport takes more, and closes without waiting for that."""

    on_writable: Callable[[bool], None] = staticmethod(_nothing)
    may_write = True

    async def run_asgi(self) -> None:
        """Serve the connection, which finds this protocol in its scope."""
        extensions = self.scope.get("extensions")
        if extensions is not None:
            extensions[EXTENSION] = self  # type: ignore[assignment]  # what it maps to is the extension's own affair
        await super().run_asgi()
        # closing waits until everything was read: not for one who does not read
        self.loop.call_later(self.close_timeout, self.transport.abort)

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
