"""The network that tests break does what it is told to: all else they show depends on that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.netkit import Proxy, proxied
from tests.waiting import until

SAID: Final = bytes(range(256)) * 400


class Echo:
    """A server that says again what it hears. `heard`: what came, in the pieces in which it came; `lost`: resets seen."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.lost = 0
        self.ended = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1 << 16):
                self.heard.append(chunk)
                writer.write(chunk)
                await writer.drain()
            self.ended += 1
        except ConnectionResetError:
            self.lost += 1
        finally:
            writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with proxied(server.sockets[0].getsockname()[1], seed=7) as made:
        yield made
    server.close()


@contextlib.asynccontextmanager
async def client(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: bytes = SAID) -> bytes:
    writer.write(what)
    return await reader.readexactly(len(what))


async def test_what_is_said_passes_and_so_does_the_end(proxy: Proxy, echo: Echo) -> None:
    async with client(proxy) as (reader, writer):
        assert await said_again(reader, writer) == SAID
        writer.write_eof()
        assert await reader.read() == b""
    assert echo.ended == 1
    await until(lambda: not proxy.connections, "nothing of it is left")


async def test_slices_are_small_and_in_order_on_a_connection_that_is_open(proxy: Proxy, echo: Echo) -> None:
    async with client(proxy) as (reader, writer):
        assert await said_again(reader, writer, b"before") == b"before"
        proxy.up.pieces = proxy.down.pieces = (1, 7)
        proxy.up.sliced = proxy.down.sliced = len(SAID)
        echo.heard.clear()
        assert await said_again(reader, writer, SAID[:20_000]) == SAID[:20_000]
    assert len(echo.heard) > 20, "they came one by one, or some together where the reader was slow"


async def test_latency_and_bandwidth_are_kept_from_below(proxy: Proxy) -> None:
    async with client(proxy) as (reader, writer):
        proxy.up.latency_s = 0.2
        proxy.down.latency_s, proxy.down.jitter_s = 0.2, 0.1
        began = asyncio.get_running_loop().time()
        await said_again(reader, writer, b"x")
        assert asyncio.get_running_loop().time() - began >= 0.3
        proxy.restore()
        proxy.down.bytes_per_s = 400_000
        began = asyncio.get_running_loop().time()
        assert await said_again(reader, writer) == SAID
        assert asyncio.get_running_loop().time() - began >= len(SAID) / 400_000 * 0.8


async def test_what_is_held_comes_late_and_whole(proxy: Proxy, echo: Echo) -> None:
    async with client(proxy) as (reader, writer):
        await said_again(reader, writer, b"before")
        proxy.hold()
        answer = asyncio.create_task(said_again(reader, writer))
        async with client(proxy) as (late, to_late):  # taken, and not served
            to_late.write(b"me, too")
            done, _ = await asyncio.wait([answer], timeout=0.3)
            assert not done
            assert echo.heard == [b"before"]
            proxy.go_on()
            assert await answer == SAID
            assert await late.readexactly(7) == b"me, too"


async def test_one_connection_is_held_while_others_are_well(proxy: Proxy) -> None:
    async with client(proxy) as (busy, to_busy), client(proxy) as (other, to_other):
        await said_again(other, to_other, b"little")
        await said_again(busy, to_busy)
        proxy.hold_busiest()
        answer = asyncio.create_task(said_again(busy, to_busy, b"late"))
        assert await said_again(other, to_other, b"at once") == b"at once"
        assert not answer.done()
        proxy.go_on()
        assert await answer == b"late"


async def test_a_half_open_connection_stays_silent_and_later_ones_do_not(proxy: Proxy, echo: Echo) -> None:
    async with client(proxy) as (reader, writer):
        await said_again(reader, writer, b"before")
        proxy.go_silent()
        async with client(proxy) as (other, to_other):
            await until(lambda: proxy.accepted == 2)
            proxy.restore()
            writer.write(b"is anybody there?")
            to_other.write(b"here?")
            async with client(proxy) as (third, to_third):
                assert await said_again(third, to_third, b"well") == b"well"
            silent = [asyncio.create_task(one.read(1)) for one in (reader, other)]
            done, _ = await asyncio.wait(silent, timeout=0.3)
            assert not done
            for task in silent:
                task.cancel()
            await asyncio.wait(silent)
    assert echo.heard == [b"before", b"well"]


async def test_resets_reach_both_ends_now_or_after_so_many_bytes(proxy: Proxy, echo: Echo) -> None:
    async with client(proxy) as (reader, writer):
        await said_again(reader, writer, b"before")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read()
    await until(lambda: echo.lost == 1, "the server is told as well")
    proxy.down.reset_after = (1000, 2000)
    proxy.down.pieces = (1, 100)
    for _ in range(3):
        async with client(proxy) as (reader, writer):
            writer.write(SAID)
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(2001)
    assert proxy.resets == 4


async def test_it_refuses_and_listens_again_on_its_port(proxy: Proxy) -> None:
    async with client(proxy) as (reader, _):
        await until(lambda: proxy.connections == 1)
        await proxy.refuse()
        with pytest.raises(ConnectionResetError):
            await reader.read()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.listen()
    async with client(proxy) as (reader, writer):
        assert await said_again(reader, writer, b"again") == b"again"


@settings(max_examples=30)
@given(st.lists(st.sampled_from([b"127.0.0.1", b"\x00\x00", b"\x1f\x90", b"1", b"."]), max_size=40), st.integers(1, 5))
def test_a_broker_is_named_anew_wherever_its_answer_is_cut(parts: list[bytes], size: int) -> None:
    said = b"".join(parts)

    async def pass_on() -> bytes:
        got: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for start in range(0, len(said), size):
                writer.write(said[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with proxied(server.sockets[0].getsockname()[1], stands_for=8080) as proxy:
            async with client(proxy) as (reader, _):
                got.append(await reader.read())
            names = proxy.answer
        server.close()
        assert names is not None
        assert got[0] == said.replace(*names)
        return got[0]

    asyncio.run(pass_on())
