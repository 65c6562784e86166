"""The desk of real monitors on a real broker: records reach the database once each, whoever is killed, and cases stay."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from floorwatch.processes import die_with_parent
from shared.kafka import KafkaBus
from shared.topics import ALL
from tests.deskkit import call_ended, fact_bytes, record, transfer_ended
from tests.embedded import TestBroker, embedded_broker
from tests.floorkit import SITE
from tests.waiting import PATIENCE_S, until
from tools.servers import free_port

ROOT = Path(__file__).parents[2]
START_S = PATIENCE_S


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TestBroker]:
    with embedded_broker(tmp_path / "broker.log") as started:
        yield started


class Process:
    """One monitor; both write to the same database."""

    def __init__(self, broker: TestBroker, folder: Path, name: str) -> None:
        self.port = free_port()
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=30)
        self._log = folder / f"{name}.log"
        (folder / "sites.yaml").write_text("sites: {}\n")
        ours = ("MONITOR_", "KAFKA_", "FLOORWATCH_", "AUTH_")
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)} | {
            "MONITOR_PORT": str(self.port),
            "MONITOR_NAME": name,
            "MONITOR_DB_URL": f"sqlite:///{folder / 'monitor.db'}",
            "KAFKA_BOOTSTRAP": broker.bootstrap,
            "FLOORWATCH_SITES_FILE": str(folder / "sites.yaml"),
            "FLOORWATCH_RUN_DIR": str(folder / "run"),
        }
        self.running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self.running = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.monitor.app",
                cwd=ROOT,
                env=self._environment,
                stderr=log,
                stdout=log,
                preexec_fn=die_with_parent(),
            )

    async def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            await self.running.wait()
            self.running = None

    async def get(self, path: str) -> Any:
        """What it answers; None while it does not."""
        assert self.running is not None
        assert self.running.returncode is None, self._log.read_text()
        try:
            response = await self.client.get(path)
        except httpx.TransportError:
            return None
        return response.json() if response.status_code == 200 else None


@pytest.fixture
async def replicas(broker: TestBroker, tmp_path: Path) -> AsyncIterator[tuple[Process, Process]]:
    both = (Process(broker, tmp_path, "a"), Process(broker, tmp_path, "b"))
    yield both
    for process in both:
        await process.client.aclose()
        await process.kill()


async def finished(process: Process) -> list[Any]:
    """Every finished transfer, page by page."""
    found: list[Any] = []
    cursor = ""
    while (page := await process.get(f"/transfers?limit=150&cursor={cursor}")) is not None:
        found += page["transfers"]
        cursor = page["next"] or ""
        if not cursor:
            break
    return found


async def test_each_record_is_written_once_whoever_is_killed_meanwhile(
    broker: TestBroker, replicas: tuple[Process, Process]
) -> None:
    one, other = replicas
    bus = KafkaBus(broker.bootstrap, request_timeout_s=5)
    await bus.create(ALL)
    written = 0

    async def more(count: int) -> None:
        """What two replicas publish of `count` transfers, each of them put right once."""
        nonlocal written
        values: list[bytes] = []
        for number in range(written, written + count):
            first = fact_bytes(transfer_ended(f"t{number}", took=9.0), 2 * number)
            right = fact_bytes(transfer_ended(f"t{number}", took=2.0), 2 * number + 1)
            values += [first, right, fact_bytes(call_ended(f"c{number}"), 2 * number), first]
        await record(bus, *values)
        written += count

    await one.start()
    await other.start()
    await more(150)
    await until(lambda: finished(one), timeout_s=START_S)
    await one.kill()
    await more(150)
    await one.start()
    await until(lambda: one.get("/transfer-reasons"), timeout_s=START_S)
    await other.kill()
    await more(150)

    async def all_there() -> list[Any] | None:
        found = await finished(one)
        return found if len(found) >= written else None

    found = await until(all_there, timeout_s=START_S)
    assert sorted(row["transfer_id"] for row in found) == sorted(f"t{number}" for number in range(written))

    async def put_right() -> bool:
        return all(row["total_s"] == 2.0 for row in await finished(one))

    await until(put_right, timeout_s=START_S)
    case = {"reason": "other", "note": "kept", "status": "open", "version": 0}
    assert (await one.client.put(f"/transfers/{SITE}/t7/case", json=case)).status_code == 200
    await one.kill()
    await other.start()
    shown = await until(lambda: other.get(f"/transfers/{SITE}/t7"), timeout_s=START_S)
    assert (shown["case"]["note"], shown["case"]["version"]) == ("kept", 1)
    calls = (await other.get(f"/agents/{SITE}/1/calls?limit=200"))["calls"]
    assert len({call["call_id"] for call in calls}) == 200
    await bus.close()
