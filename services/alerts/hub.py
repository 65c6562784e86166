"""What changed, to every open page: server-sent events. A page that reads too slowly is told to ask anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

MAX_WAITING = 200  # messages for one page; a page that far behind is better off with a fresh list
BEAT_S = 1.0  # a page must own up to a dead line within 3 s, so it must hear something more often


def encode(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()


_BEAT = encode("beat", "{}")


class Hub:
    """Messages are encoded once and shared. `publish` never waits."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    @property
    def readers(self) -> int:
        return len(self._readers)

    def publish(self, event: str, data: str) -> None:
        """Send `data` (JSON, one line) as `event` to everybody."""
        message = encode(event, data)
        for queue in self._readers:
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

    async def stream(self, first: bytes) -> AsyncIterator[bytes]:
        """`first`, then every message from now on; `beat` when there is nothing to say."""
        with self._reader() as queue:
            yield first
            while not self._closed:
                try:
                    message = await asyncio.wait_for(queue.get(), BEAT_S)
                except TimeoutError:
                    message = _BEAT
                if message is None:
                    return
                yield message

    @contextmanager
    def _reader(self) -> Iterator[asyncio.Queue[bytes | None]]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._readers.add(queue)
        try:
            yield queue
        finally:
            self._readers.discard(queue)
