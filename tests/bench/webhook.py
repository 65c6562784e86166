"""What the benchmarks of alerts share: somebody outside who is told, the file that says so, and a folder."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec


class Sink:
    """A webhook's server: when each request was read, and what was in it."""

    def __init__(self) -> None:
        self.received: list[tuple[float, Any]] = []
        self.url = ""

    def now(self) -> float:
        """The clock of `received`."""
        return time.time()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                self.received.append((self.now(), msgspec.json.decode(body)))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Sink]:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server:
            yield self


def alert_file(folder: Path, sink: Sink, more: str) -> Path:
    """Everything is told to `sink` at once; waiting customers make one incident for each queue. `more`: of the receiver."""
    path = folder / "alerts.yaml"
    path.write_text(
        f"receivers:\n  bench: {{webhook: {{url: '{sink.url}'}}{', ' + more if more else ''}}}\n"
        "groups:\n  - {match: {rule: long_wait}, by: [rule, queue]}\n"
        "routes: {receiver: bench, interval: 10s}\n"
    )
    return path


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="floorwatch-bench-") as name:
        yield Path(name)
