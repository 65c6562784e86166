"""A fault of ours in the relay ends what it befell, and is told."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from structlog.testing import capture_logs

from services.monitor.listen.relay.audiosocket import AudioSocket
from services.monitor.listen.relay.fork import Fork, Source
from services.monitor.listen.relay.hub import Hub
from shared.clock import SystemClock
from tests.audiokit import hello
from tests.waiting import PATIENCE_S


class Faulty(Hub):
    async def admit(self, fork_id: str, source: Source) -> Fork:
        raise RuntimeError("a fault")


async def test_a_connection_that_cannot_be_taken_in_is_closed_and_told_of() -> None:
    hub = Faulty(SystemClock(), lambda _site, _data: None, name="relay", run="1")
    server = await asyncio.get_running_loop().create_server(lambda: AudioSocket(hub), "127.0.0.1", 0)
    async with server:
        with capture_logs() as logs:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(hello(str(uuid4())))
            try:
                left = await asyncio.wait_for(reader.read(), PATIENCE_S)
            except ConnectionResetError:
                left = b""
            writer.close()
    assert left == b""
    assert [one["event"] for one in logs] == ["a switch's connection could not be taken in"]
    assert hub.counts.connections == 0
