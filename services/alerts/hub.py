"""What changed, to every open page: server-sent events. A page that reads too slowly is told to ask anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from services.alerts.views import IncidentView
from services.alerts.visibility import sees
from shared.auth import Scope

MAX_WAITING = 200  # messages for one page; a page that far behind is better off with a fresh list
BEAT_S = 1.0  # a page must own up to a dead line within 3 s, so it must hear something more often


def encode(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()


_BEAT = encode("beat", "{}")


class Hub:
    """Messages are encoded once and shared. `publish` never waits."""

    def __init__(self) -> None:
        self._readers: dict[asyncio.Queue[bytes | None], Callable[[], Scope | None]] = {}
        self._closed = False

    @property
    def readers(self) -> int:
        return len(self._readers)

    def changed(self, incident: IncidentView) -> None:
        """Send an incident to everybody who may see it: the same to all, so without numbers that somebody typed."""
        self.publish("incident", incident.masked().model_dump_json(), about=incident)

    def publish(self, event: str, data: str, *, about: IncidentView | None = None) -> None:
        """Send `data` (JSON, one line) as `event` to everybody who may see what it is about."""
        message = encode(event, data)
        for queue, scope_now in self._readers.items():
            scope = scope_now()
            if scope is None or (about is not None and not sees(scope, about)):
                continue
            if queue.qsize() >= MAX_WAITING:
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(encode("resync", "{}"))
            else:
                queue.put_nowait(message)

    def close(self) -> None:
        """End every stream, so that a server that stops need not wait for pages."""
        self._closed = True
        for queue in self._readers:
            queue.put_nowait(None)

    async def stream(self, first: bytes, scope_now: Callable[[], Scope | None]) -> AsyncIterator[bytes]:
        """`first`, then every message from now on; `beat` when there is nothing to say.

        `scope_now` tells what the reader may see; the stream ends when that is None.
        """
        with self._reader(scope_now) as queue:
            yield first
            while not self._closed:
                try:
                    message = await asyncio.wait_for(queue.get(), BEAT_S)
                except TimeoutError:
                    message = _BEAT
                if message is None or scope_now() is None:
                    return
                yield message

    @contextmanager
    def _reader(self, scope_now: Callable[[], Scope | None]) -> Iterator[asyncio.Queue[bytes | None]]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._readers[queue] = scope_now
        try:
            yield queue
        finally:
            self._readers.pop(queue, None)
