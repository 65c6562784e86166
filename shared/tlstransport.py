"""asyncio's TLS transport, made safe to close twice, to cut off at any time, and to ask how much waits in it.

Closed a second time, that of Python 3.11 forgets its connection: from then on it can neither be cut off nor asked anything. And
what it hands on to the socket's own transport it no longer counts, up to 64 KiB for each connection.
"""

from __future__ import annotations

import asyncio
from typing import Any


class TlsTransport(asyncio.Transport):
    """Around one connection's. What waits is counted as it lies here, encrypted or not yet."""

    def __init__(self, transport: Any) -> None:
        super().__init__()
        self._transport = transport
        self._raw = transport._ssl_protocol._transport  # the socket's own
        # at once, so that the rest waits where the limit is that who writes has set
        self._raw.set_write_buffer_limits(high=0)
        self.write = transport.write  # type: ignore[method-assign]  # for each frame of each board
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.set_write_buffer_limits = transport.set_write_buffer_limits  # type: ignore[method-assign]
        self.set_protocol = transport.set_protocol  # type: ignore[method-assign]
        self.get_protocol = transport.get_protocol  # type: ignore[method-assign]

    def get_write_buffer_size(self) -> int:
        """Bytes that wait, here or on the way to the kernel."""
        return int(self._transport.get_write_buffer_size() + self._raw.get_write_buffer_size())

    def close(self) -> None:
        """Say goodbye behind what was written; a second time changes nothing."""
        if not self._transport.is_closing():
            self._transport.close()

    def abort(self) -> None:
        """Cut the line, also while a goodbye waits to be read."""
        self._transport.abort()

    def is_reading(self) -> bool:
        return bool(self._transport.is_reading())


def safe(transport: Any) -> Any:
    """`transport`, or what makes a TLS one safe."""
    plain = isinstance(transport, TlsTransport) or transport.get_extra_info("sslcontext") is None
    return transport if plain else TlsTransport(transport)


def cut(transport: Any) -> None:
    """Cut the line, if there still is one: asyncio's transport raises when it is gone because all was read after its end."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() >= 0:
        transport.abort()
