"""The way of the sound from a switch to the relay is bad: in pieces, uneven, reset within a frame."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator

import pytest

from services.monitor.listen.contract import ForkDown
from tests.audiokit import FRAME_MS, MONO_FRAME, STEREO_FRAME, AudioCaller
from tests.contract.test_relay import relay
from tests.netkit import Proxy, proxied
from tests.relaykit import Page, Running

__all__ = ["relay"]  # a fixture

pytestmark = pytest.mark.fault


@pytest.fixture
async def way(relay: Running) -> AsyncIterator[Proxy]:
    async with proxied(relay.media_port, seed=43) as made:
        yield made


def numbered(first: int, last: int) -> bytes:
    """Sound of which each frame's samples are its number."""
    return b"".join(struct.pack("<h", number) * (STEREO_FRAME // 2) for number in range(first, last + 1))


def numbers(page: Page) -> list[int]:
    """Which of them a page heard; a frame that is made of two is an error."""
    for one in page.frames:
        assert len(set(struct.unpack(f"<{len(one.pcm) // 2}h", one.pcm))) == 1, "one frame's sound and no other's"
    return [int(struct.unpack_from("<h", one.pcm)[0]) for one in page.frames]


async def heard_through(relay: Running, way: Proxy, listen_id: str = "") -> tuple[str, str, AudioCaller]:
    fork_id = await relay.fork()
    listen_id = await relay.listen(fork_id, listen_id, state="live")
    return fork_id, listen_id, await AudioCaller.connect("127.0.0.1", way.port, fork_id)


async def test_sound_in_pieces_and_uneven_is_heard_whole_once_and_in_its_order(relay: Running, way: Proxy) -> None:
    way.up.latency_s, way.up.jitter_s = 0.05, 0.04
    way.up.pieces, way.up.sliced = (1, 90), 2 * STEREO_FRAME
    _, listen_id, switch = await heard_through(relay, way)
    page = await relay.page(listen_id)
    await page.told("hello")
    await switch.play(numbered(1, 60), STEREO_FRAME)
    for number in itertools.count(61):  # one that a busy machine took too late is left out
        if page.frames and numbers(page)[-1] >= 60:
            break
        await switch.send(numbered(number, number))
        await asyncio.sleep(FRAME_MS / 1000)
    assert all(one < after for one, after in itertools.pairwise(numbers(page)))
    assert all(one.sequence < after.sequence for one, after in itertools.pairwise(page.frames))
    await switch.close()
    await page.close()


async def test_a_reset_within_a_frame_is_told_and_the_next_fork_is_heard_from_its_beginning(
    relay: Running, way: Proxy
) -> None:
    fork_id, listen_id, switch = await heard_through(relay, way)
    page = await relay.page(listen_id)
    await page.told("hello")
    await switch.play(numbered(1, 10), STEREO_FRAME)
    await page.heard(10)
    switch.back.send_raw(struct.pack(">BH", 0x10, MONO_FRAME) + bytes(7))  # of which the rest is lost
    way.reset()
    down = await relay.reported(ForkDown, fork_id=fork_id)
    assert down.frames == 10
    way.restore()
    other, _, switch = await heard_through(relay, way, listen_id)
    await page.told("state", fork_id=other)
    await switch.play(numbered(1, 10), STEREO_FRAME)
    await page.heard(20)
    assert numbers(page) == [*range(1, 11)] * 2
    assert [one.sequence for one in page.frames[10:]] == [*range(10)]
    await switch.close()
    await page.close()
