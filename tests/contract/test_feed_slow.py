"""Readers that are slow, or never read: what they cost, what they miss, and how they are let go."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.monitor.feed.subscriber import Subscriber
from shared.events import AgentLoggedOn, LinkUp
from shared.frames import FRAME_BYTES
from shared.memorybus import MemoryBus
from shared.outlets import DirectOutlet, TaskOutlet
from shared.wsserver import DirectProtocol
from tests.contract.test_feed_clients import a_floor
from tests.contract.test_monitor import Running, message, running, say
from tests.feedkit import Board
from tests.floorkit import SITE
from tests.property.test_feed import shown_by

BOUND = 2 * FRAME_BYTES
HANDSHAKE = (
    "GET /api/v1/feed HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Plain:
    """A client by hand, which reads only when it is told to, and whose kernel takes little by itself."""

    def __init__(self, floor: Running) -> None:
        self.floor = floor
        self.board = Board()
        self.close: tuple[int, str] | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", floor.port))
        self._socket.setblocking(False)
        self._read = b""

    async def begin(self) -> None:
        await self._loop.sock_sendall(self._socket, HANDSHAKE.format(self.floor.port).encode())
        while b"\r\n\r\n" not in self._read:
            self._read += await self._loop.sock_recv(self._socket, 1000)
        _, _, self._read = self._read.partition(b"\r\n\r\n")
        await self.say(b'{"type":"subscribe"}')

    async def say(self, text: bytes) -> None:
        await self._loop.sock_sendall(self._socket, bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text)

    async def hear(self) -> str | None:
        """The next message; None when there is none any more."""
        while (frame := self._frame()) is None:
            read = await self._loop.sock_recv(self._socket, 1 << 16)
            if not read:
                return None
            self._read += read
        opcode, payload = frame
        if opcode == 8:
            self.close = (int.from_bytes(payload[:2], "big"), payload[2:].decode())
            return None
        if opcode != 1:
            return await self.hear()
        self.board.hear(payload.decode())
        return payload.decode()

    def _frame(self) -> tuple[int, bytes] | None:
        found = self._read
        if len(found) < 2:
            return None
        size, at = found[1], 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(found[2 : 2 + wide], "big"), 2 + wide
        if len(found) < at + size:
            return None
        self._read = found[at + size :]
        return found[0] & 0x0F, found[at : at + size]

    def hang_up(self) -> None:
        self._socket.close()


@asynccontextmanager
async def watched(agents: int, **settings: Any) -> AsyncIterator[tuple[Running, Plain, Subscriber]]:
    async with a_floor(agents, max_unsent_bytes=BOUND, **settings) as floor:
        client = Plain(floor)
        try:
            await client.begin()
            async with asyncio.timeout(60):
                while not floor.monitor.hub.subscribers:
                    await asyncio.sleep(0)
            (subscriber,) = floor.monitor.hub._connected
            yield floor, client, subscriber
        finally:
            client.hang_up()


async def everything_changes(floor: Running, second: float, agents: int) -> None:
    name, last = f"name {second}", str(agents - 1)
    await floor.happens(second, *(AgentLoggedOn(agent_id=str(n), name=name) for n in range(agents)))
    async with asyncio.timeout(60):
        while getattr(floor.monitor.engine.view("agent", SITE, last), "name", "") != name:
            await asyncio.sleep(0)
    floor.monitor.hub.flush()


async def fall_behind(floor: Running, subscriber: Subscriber, agents: int) -> float:
    """Let things happen until its connection takes no more; what waits for it stays below the bound all the time."""
    second = 1.0
    async with asyncio.timeout(120):
        while not subscriber.behind:
            await everything_changes(floor, second, agents)
            assert subscriber.outlet.unsent() <= BOUND
            second += 1
    return second


async def test_one_who_reads_again_is_told_last_values_and_sees_what_everybody_sees() -> None:
    async with watched(200, slow_s=600.0) as (floor, client, subscriber):
        assert isinstance(subscriber.outlet, DirectOutlet)
        second = await fall_behind(floor, subscriber, 200)
        written = subscriber.outlet._written
        for more in range(10):
            await everything_changes(floor, second + more, 200)
            assert subscriber.outlet._written == written, "who takes nothing is given nothing"
        missed = floor.monitor.hub.log.position - subscriber.position
        assert missed >= 2000
        async with asyncio.timeout(60):
            while client.board.position < floor.monitor.hub.log.position:
                await client.hear()
        assert client.board.answers == ["snapshot"]
        assert client.board.shown() == shown_by(floor.monitor.engine)
        assert subscriber.outlet._written - written < missed * 200, "not everything that it missed was sent"


async def test_one_who_never_reads_is_let_go_and_told_where_to_resume() -> None:
    async with watched(200, slow_s=0.3) as (floor, client, subscriber):
        await fall_behind(floor, subscriber, 200)
        position = subscriber.position
        async with asyncio.timeout(60):
            while subscriber.ended is None:
                await asyncio.sleep(0.01)
            while await client.hear() is not None:
                pass
        assert client.close == (4503, f"too slow, resume from {position}")
        assert client.board.position == position, "all up to there had been sent"
        assert floor.registry.get_sample_value("monitor_feed_too_slow_total") == 1
        again = floor.feed()
        async with again as another:
            await say(another, type="resume", epoch=client.board.epoch, position=position)
            assert (await message(another, "resumed", "snapshot"))["type"] == "resumed"


async def test_the_line_of_one_who_does_not_even_take_its_end_is_cut() -> None:
    async with watched(200, slow_s=0.3) as (floor, _, subscriber):
        outlet = subscriber.outlet
        assert isinstance(outlet, DirectOutlet)
        await fall_behind(floor, subscriber, 200)
        async with asyncio.timeout(60):
            while not outlet._protocol.disconnected:
                await asyncio.sleep(0.01)
        assert outlet.unsent() == 0
        assert not floor.monitor.hub._connected


async def test_a_hundred_who_never_read_cost_their_bounds_and_nobody_else_waits() -> None:
    agents, readers = 1500, 100
    async with a_floor(agents, max_unsent_bytes=BOUND, slow_s=600.0) as floor:
        hub = floor.monitor.hub
        warm = Plain(floor)
        await warm.begin()
        clients = [Plain(floor) for _ in range(readers)]
        try:
            async with floor.feed() as board:
                await say(board, type="subscribe")
                await message(board, "snapshot")
                gc.collect()
                before = resident()
                for client in clients:
                    await client.begin()
                async with asyncio.timeout(60):
                    while hub.subscribers < readers + 2:
                        await asyncio.sleep(0)
                for second in range(1, 8):
                    await everything_changes(floor, second, agents)
                    while (await message(board, "delta", "clock"))["position"] < hub.log.position:
                        pass
                stuck = [one for one in hub._connected if one.behind]
                assert len(stuck) == readers + 1
                assert all(one.outlet.unsent() <= BOUND for one in stuck)
                picture = sum(len(frame) for frame in (hub._everything.whole(),))
                assert picture > 3 * BOUND, "each was still to be sent more than it may hold"
                cost = resident() - before
                assert cost < readers * (BOUND + 128 * 1024), f"{cost / readers / 1024:.0f} KiB for each"
        finally:
            for client in (warm, *clients):
                client.hang_up()


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm", encoding="ascii") as found:
        return int(found.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("ws", [DirectProtocol, "websockets-sansio"])
async def test_it_works_on_a_server_that_knows_nothing_of_ready_frames(ws: Any) -> None:
    async with running(MemoryBus(), ws=ws) as floor:
        await floor.happens(0, LinkUp(connector="test"), *(AgentLoggedOn(agent_id=str(n)) for n in range(500)))
        async with floor.feed() as client:
            board = Board()
            await say(client, type="subscribe")
            while not board.answers:
                board.hear(str(await client.recv()))
            (subscriber,) = floor.monitor.hub._connected
            assert isinstance(subscriber.outlet, DirectOutlet if ws is DirectProtocol else TaskOutlet)
            await everything_changes(floor, 1, 500)
            async with asyncio.timeout(60):
                while board.position < floor.monitor.hub.log.position:
                    board.hear(str(await client.recv()))
            assert board.shown() == shown_by(floor.monitor.engine)
            await client.send(b"binary")
            async with asyncio.timeout(60):
                await client.wait_closed()
            assert client.close_code == 4400
