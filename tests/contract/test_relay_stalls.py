"""A network, a broker or the relay itself stands still for a while."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from services.monitor.listen.contract import ForkDown, ForkUp, ListenerLeft
from services.monitor.listen.relay import listener, wire
from tests import audiokit
from tests.contract.test_relay import listening, relay, voices
from tests.relaykit import Running, running
from tests.waiting import until

__all__ = ["relay"]


async def test_what_a_stalled_network_held_back_is_dropped_and_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as relay:
        fork_id, _, switch, page = await listening(relay)
        switch.back.send_raw(audiokit.frame(audiokit.AUDIO, voices(20)) * 5)
        await page.heard(5)
        await asyncio.sleep(1.0)  # the network stalls: a second's frames come at once
        switch.back.send_raw(audiokit.frame(audiokit.AUDIO, voices(20)) * 50)
        while len(page.frames) < 6:
            await switch.send(voices(20))
            await asyncio.sleep(audiokit.FRAME_MS / 1000)
        assert page.frames[5].flags & wire.GAP
        assert page.frames[5].sequence >= 25
        await until(lambda: page.last("stats").get("late", 0) >= 20)
        dropped = page.last("stats")["late"]
        assert max(one["gap_ms_max"] for one in page.texts if one["type"] == "stats") >= 500
        await switch.close()
        assert (await relay.reported(ForkDown, fork_id=fork_id)).discarded >= dropped


async def test_a_broker_that_is_away_keeps_no_voice_waiting_and_hears_it_later(relay: Running) -> None:
    fork_id, _, switch, page = await listening(relay)
    relay.bus.break_down()
    await switch.play(voices(100), audiokit.STEREO_FRAME)
    await page.heard(5)
    await until(lambda: relay.relay.intake.check() is not None)
    relay.bus.recover()
    await relay.reported(ForkUp, fork_id=fork_id)
    await until(lambda: relay.relay.intake.check() is None)


async def test_a_relay_that_stood_still_takes_no_page_for_gone(relay: Running) -> None:
    _, _, switch, page = await listening(relay)
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(2)
    time.sleep(2 * listener.SILENT_S)  # noqa: ASYNC251  (nobody has a turn)
    before = len([one for one in page.texts if one["type"] == "stats"])
    await until(lambda: len([one for one in page.texts if one["type"] == "stats"]) >= before + 2 or page.code)
    assert page.code is None
    await switch.play(voices(40), audiokit.STEREO_FRAME)
    await page.heard(4)
    assert relay.reports(ListenerLeft) == []
