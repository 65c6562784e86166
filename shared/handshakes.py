"""Connections to a TLS port, counted from the moment that they are taken: until its handshake is done one reaches no protocol of
ours, and a thousand that say nothing would otherwise hold files and memory of which nobody knows."""

from __future__ import annotations

import socket
from typing import Any, Protocol


class Counts(Protocol):
    """Who keeps the count: `shared.httpserver.Admission`."""

    shaking: dict[Any, ShakingHands]

    def enter(self, address: str) -> str | None: ...

    def leave(self, who: str) -> None: ...


class ShakingHands(socket.socket):
    """A connection that has its place among those of its address until `done`, or until it is closed."""

    _place: tuple[Counts, Any, str] | None = None

    def take(self, counts: Counts, address: Any, who: str) -> None:
        """Have a place."""
        self._place = (counts, address, who)
        counts.shaking[address] = self

    def done(self) -> None:
        """The handshake is over: whoever speaks on this connection counts for itself from here on."""
        place, self._place = self._place, None
        if place is not None:
            counts, address, who = place
            if (
                counts.shaking.get(address) is self
            ):  # the next one of this address and port may be here before this is closed
                del counts.shaking[address]
            counts.leave(who)

    def close(self) -> None:
        """It ends, perhaps in the middle."""
        self.done()
        super().close()


class TlsListener(socket.socket):
    """A listening socket that hangs up on whoever has too many connections, before a handshake begins."""

    counts: Counts

    @classmethod
    def of(cls, sock: socket.socket, counts: Counts) -> TlsListener:
        """In place of `sock`, which is of no use afterwards."""
        made = cls(sock.family, sock.type, sock.proto, fileno=sock.detach())
        made.counts = counts
        return made

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises ConnectionAbortedError for one that was hung up on, which asyncio passes over."""
        plain, address = super().accept()
        who = self.counts.enter(address[0])
        if who is None:
            plain.close()
            raise ConnectionAbortedError("too many connections")
        found = ShakingHands(plain.family, plain.type, plain.proto, fileno=plain.detach())
        found.take(self.counts, address, who)
        return found, address
