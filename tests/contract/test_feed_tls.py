"""The feed by TLS: what is promised of slow readers holds there, too, where what waits is encrypted first."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from shared.outlets import DirectOutlet
from tests.contract.test_feed_clients import a_floor
from tests.contract.test_feed_slow import BOUND, HANDSHAKE, everything_changes, fall_behind
from tests.contract.test_monitor import message, say
from tests.feedkit import Board
from tests.property.test_feed import shown_by
from tests.servingkit import Authority, tls_of
from tests.waiting import until


class Stalled:
    """A client by hand that subscribes and then reads no byte more: the kernel takes little by itself."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)

    async def begin(self) -> None:
        await self._do(self._tls.do_handshake)
        await self._do(lambda: self._tls.write(HANDSHAKE.format(self._port).encode()))
        read = b""
        while b"\r\n\r\n" not in read:
            read += await self._do(lambda: self._tls.read(1))
        said = b'{"type":"subscribe"}'
        await self._do(lambda: self._tls.write(bytes((0x81, 0x80 | len(said), 0, 0, 0, 0)) + said))

    async def _do(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await self._send()
                self._incoming.write(await self._loop.sock_recv(self._socket, 4096))
            else:
                await self._send()
                return done

    async def _send(self) -> None:
        await self._loop.sock_sendall(self._socket, self._outgoing.read())

    def hang_up(self) -> None:
        self._socket.close()


async def test_a_board_is_right_and_one_that_never_reads_costs_its_bound_and_is_let_go(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with a_floor(200, tls=tls_of(authority.sign()), max_unsent_bytes=BOUND, slow_s=0.3) as floor:
        trusting, hub, board = authority.trusting(), floor.monitor.hub, Board()
        client = Stalled(floor.port, trusting)
        await client.begin()
        await until(lambda: hub.subscribers == 1, "it has subscribed")
        (subscriber,) = hub._connected
        outlet = subscriber.outlet
        assert isinstance(outlet, DirectOutlet)
        second = await fall_behind(floor, subscriber, 200)
        async with connect(f"wss://127.0.0.1:{floor.port}/api/v1/feed", ssl=trusting, proxy=None) as good:
            await say(good, type="subscribe")
            board.hear(json.dumps(await message(good, "snapshot")))
            await everything_changes(floor, second + 1, 200)
            while board.position < hub.log.position:
                board.hear(json.dumps(await message(good, "delta")))
            assert board.shown() == shown_by(floor.monitor.engine)
        await until(lambda: outlet._protocol.disconnected, "the line is cut")
        assert outlet.unsent() == 0
        assert floor.registry.get_sample_value("monitor_feed_too_slow_total") == 1
        client.hang_up()
