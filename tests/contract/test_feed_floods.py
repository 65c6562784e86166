"""Clients that send what nobody waits for: pings and empty parts of a message cost neither memory nor anybody's turn."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.contract.test_feed_clients import a_floor
from tests.contract.test_feed_slow import HANDSHAKE, resident
from tests.contract.test_monitor import Running, message, say

PING, PONG, TEXT, PART = 0x89, 0x8A, 0x01, 0x00


def frame(first: int, payload: bytes = b"") -> bytes:
    return bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload


async def opened(floor: Running) -> socket.socket:
    """A client that reads nothing but the handshake."""
    loop, client = asyncio.get_running_loop(), socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", floor.port))
    client.setblocking(False)
    await loop.sock_sendall(client, HANDSHAKE.format(floor.port).encode())
    read = b""
    while b"\r\n\r\n" not in read:
        read += await loop.sock_recv(client, 1)
    return client


async def send_until_refused(client: socket.socket, frames: bytes, most: int) -> int:
    """How many bytes went out before the connection was cut; `most` when it never was."""
    sent = 0
    try:
        async with asyncio.timeout(60):
            while sent < most:
                await asyncio.get_running_loop().sock_sendall(client, frames)
                sent += len(frames)
    except OSError:
        pass
    return sent


@pytest.mark.parametrize(
    ("first", "each"),
    [(b"", frame(PING, b"x" * 125)), (b"", frame(PING)), (b"", frame(PONG)), (frame(TEXT), frame(PART))],
    ids=["pings", "empty pings", "pongs", "empty parts"],
)
async def test_who_floods_is_cut_off_and_holds_nothing(first: bytes, each: bytes) -> None:
    async with a_floor() as floor:
        before, most = resident(), 64 << 20
        client = await opened(floor)
        try:
            await asyncio.get_running_loop().sock_sendall(client, first)
            sent = await send_until_refused(client, each * (100_000 // len(each)), most)
            assert sent < most, "it was never cut off"
            async with asyncio.timeout(60):
                while floor.monitor.hub._connected:
                    await asyncio.sleep(0)
            assert resident() - before < 16 << 20
        finally:
            client.close()


async def test_a_client_that_pings_as_browsers_and_libraries_do_is_answered() -> None:
    async with a_floor() as floor, floor.feed() as client:
        for _ in range(50):
            async with asyncio.timeout(60):
                await (await client.ping())
        await client.send(part for part in ('{"type":', '"ping"', ',"id":7}'))
        assert (await message(client, "pong"))["id"] == 7


async def test_one_who_floods_is_told_why() -> None:
    async with a_floor() as floor, floor.feed() as client:
        await say(client, type="subscribe")
        await message(client, "snapshot")
        client.transport.write(frame(PONG) * 10_000)
        async with asyncio.timeout(60):
            await client.wait_closed()
        assert (client.close_code, client.close_reason) == (4429, "more than 100 frames a second")
