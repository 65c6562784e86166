"""The alerts service as a process, on a real broker: starts, migrates, takes flags, survives the broker, ends at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from shared.kafka import KafkaBus
from shared.topics import ALL
from tests.alertskit import publish
from tests.embedded import TestBroker, embedded_broker
from tests.flagkit import clearing, flag
from tests.waiting import until
from tools.servers import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TestBroker]:
    with embedded_broker(tmp_path / "broker.log") as started:
        yield started


class Process:
    def __init__(self, broker: TestBroker, folder: Path) -> None:
        self.port = free_port()
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self._log = folder / "alerts.log"
        self._environment = os.environ | {
            "ALERTS_PORT": str(self.port),
            "ALERTS_SHUTDOWN_S": "600",
            "ALERTS_DB_URL": f"sqlite:///{folder / 'alerts.db'}",
            "KAFKA_BOOTSTRAP": broker.bootstrap,
            "FLOORWATCH_SITES_FILE": str(folder / "sites.yaml"),
        }
        (folder / "sites.yaml").write_text("sites: {}\n")
        self.running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self.running = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.alerts.app", cwd=ROOT, env=self._environment, stderr=log, stdout=log
            )
        await until(self.answers)

    async def answers(self) -> bool:
        assert self.running is not None
        assert self.running.returncode is None, self._log.read_text()
        try:
            return (await self.client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    async def ready(self) -> bool:
        return (await self.client.get("/readyz")).status_code == 200

    async def incidents(self) -> list[Any]:
        found: list[Any] = (await self.client.get("/api/v1/incidents")).json()["incidents"]
        return found

    async def stop(self) -> int:
        assert self.running is not None
        self.running.send_signal(signal.SIGTERM)
        code = await self.running.wait()
        self.running = None
        return code


@pytest.fixture
async def process(broker: TestBroker, tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(broker, tmp_path)
    yield process
    await process.client.aclose()
    if process.running is not None:
        process.running.kill()
        await process.running.wait()


async def flags(broker: TestBroker, *found: Any) -> None:
    bus = KafkaBus(broker.bootstrap, request_timeout_s=30)
    await bus.create(ALL)
    await publish(bus, *found)
    await bus.close()


async def test_flags_become_incidents_across_restarts_of_service_and_broker(
    broker: TestBroker, process: Process
) -> None:
    await process.start()
    assert not await process.ready()  # the topic does not exist yet: alive, and saying what it waits for
    await flags(broker, flag("f1", "t1"), clearing("f1"), flag("f2", "t2"))

    async def two() -> bool:
        return len(await process.incidents()) == 2

    await until(two)
    await until(process.ready)
    assert await process.stop() == 0
    await flags(broker, flag("f3", "t3"))
    await process.start()

    async def three() -> bool:
        return len(await process.incidents()) == 3

    await until(three)
    broker.kill()

    async def lost() -> bool:
        return not await process.ready()

    await until(lost)
    broker.start()  # it comes back empty
    await flags(broker, flag("f4", "t4"))

    async def four() -> bool:
        return len(await process.incidents()) == 4

    await until(four)
    found = [one["condition"] for one in await process.incidents()]
    assert found == ["active", "unknown", "unknown", "ended"], "nobody will hear how f2 and f3 end"


async def test_an_open_page_hears_within_a_second_and_does_not_delay_the_end(
    broker: TestBroker, process: Process
) -> None:
    await flags(broker)
    await process.start()
    await until(process.ready)
    async with connect(f"ws://127.0.0.1:{process.port}/api/v1/feed") as socket:
        assert json.loads(await socket.recv())["type"] == "hello"
        took: list[float] = []
        bus = KafkaBus(broker.bootstrap, request_timeout_s=30)
        for number in range(1, 16):  # three of them: any one may meet a moment in which the machine is busy
            published = time.monotonic()
            await publish(bus, flag(f"f{number}", f"t{number}"))
            async for text in socket:
                told = json.loads(text)
                if told["type"] == "incident":
                    assert told["incident"]["id"] == number
                    break
            took.append(time.monotonic() - published)
            if sum(seconds < 1.0 for seconds in took) == 3:
                break
        await bus.close()
        assert sorted(took)[2] < 1.0, took
        async with asyncio.timeout(60):  # a tenth of what it gives to those who do not end
            assert await process.stop() == 0
