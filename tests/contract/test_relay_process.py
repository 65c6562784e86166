"""The relay as a process, on a real broker: it is killed, another takes its place, and goes when it is asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import connect

from floorwatch.processes import die_with_parent
from services.monitor.listen.contract import ListenerLeft, RelayStarted, decode_report, order
from services.monitor.listen.passes import sign_pass
from services.monitor.listen.relay import wire
from shared import topics
from shared.bus import Reader
from shared.clock import SystemClock
from shared.codec import encode
from shared.envelope import Data
from shared.kafka import KafkaBus
from tests.audiokit import STEREO_FRAME, AudioCaller, tone
from tests.embedded import TestBroker, embedded_broker
from tests.relaykit import SECRET, SITE, USER, Page, forked, listened
from tests.waiting import until
from tools.servers import free_port

ROOT = Path(__file__).parents[2]


class Process:
    """One relay; started again it has the same ports."""

    def __init__(self, broker: TestBroker, folder: Path) -> None:
        self.port, self.media_port = free_port(), free_port()
        self.log = folder / "relay.log"
        self._env = os.environ | {
            "RELAY_PORT": str(self.port),
            "RELAY_MEDIA_PORT": str(self.media_port),
            "RELAY_LATE_S": "60",
            "AUTH_SECRET": SECRET,
            "KAFKA_BOOTSTRAP": broker.bootstrap,
            "FLOORWATCH_LOG_FORMAT": "json",
        }
        self.running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.monitor.listen.relay",
                cwd=ROOT,
                env=self._env,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )
        await until(self._ready, "it is ready")

    async def end(self, how: signal.Signals) -> int:
        assert self.running is not None
        self.running.send_signal(how)
        return await self.running.wait()

    async def page(self, listen_id: str) -> Page:
        token = sign_pass(SECRET, USER, listen_id, SystemClock().now())
        page = Page(await connect(f"ws://127.0.0.1:{self.port}/api/v1/listens/{listen_id}/audio?ticket={token}"))
        await page.told("hello")
        return page

    async def _ready(self) -> bool:
        assert self.running is not None
        assert self.running.returncode is None, self.log.read_text()
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200
            except httpx.TransportError:
                return False


async def ordered(bus: KafkaBus, data: Data) -> None:
    made = order(data, id=uuid4().hex, source="/test", site=SITE, time=SystemClock().now())
    await bus.publish(topics.LISTEN_ORDERS, encode(made), key=SITE)
    await bus.flush()


async def reported(reader: Reader, kind: type[Data]) -> Any:
    """The next report of that kind."""
    async with asyncio.timeout(60):
        while True:
            for record in await reader.getmany(timeout_s=0.5, max_records=1):
                found = decode_report(record.value).data
                if isinstance(found, kind):
                    return found


async def heard(process: Process, fork_id: str, page: Page) -> AudioCaller:
    """A switch that speaks once the page waits for it, until the page hears it."""
    await page.told("state", fork_id=fork_id)
    switch = await AudioCaller.connect("127.0.0.1", process.media_port, fork_id)
    await switch.play(tone(440, 8000, 160), STEREO_FRAME)
    await page.heard(4)
    return switch


async def test_a_relay_that_was_killed_is_replaced_and_one_that_is_stopped_says_so(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker.log") as broker:
        bus = KafkaBus(broker.bootstrap)
        await bus.create(topics.ALL)
        reports = await bus.read([topics.LISTEN_REPORTS])
        process = Process(broker, tmp_path)
        fork_id, listen_id, now = str(uuid4()), uuid4().hex, SystemClock().now()
        await ordered(bus, forked(fork_id, now, expires=now + timedelta(minutes=5)))
        await ordered(bus, listened(listen_id, now, fork_id=fork_id))
        try:
            await process.start()
            first = await reported(reports, RelayStarted)
            page = await process.page(listen_id)
            switch = await heard(process, fork_id, page)
            await process.end(signal.SIGKILL)
            assert await page.closed() == 1006
            await switch.back.ended()

            await process.start()
            second = await reported(reports, RelayStarted)
            assert second.run != first.run
            page = await process.page(listen_id)  # as ordered before; a new fork, as a monitor would order it
            fork_id = str(uuid4())
            await ordered(bus, forked(fork_id, now, expires=now + timedelta(minutes=5)))
            await ordered(bus, listened(listen_id, now, fork_id=fork_id, version=2))
            switch = await heard(process, fork_id, page)

            assert await process.end(signal.SIGTERM) == 0, process.log.read_text()
            assert await page.closed() == wire.RELAY_ENDS
            await switch.back.ended()
            left = await reported(reports, ListenerLeft)
            assert (left.how, left.run) == ("lost", second.run)
            assert "rror" not in process.log.read_text()
        finally:
            if process.running is not None and process.running.returncode is None:
                await process.end(signal.SIGKILL)
            await reports.close()
            await bus.close()
