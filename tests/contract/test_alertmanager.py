"""Alerts in a real Alertmanager: fired with their incident, kept up, ended with it; it alone says what it makes of them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, publish, running
from tests.flagkit import flag
from tests.waiting import until
from tools.servers import free_port

pytest_plugins = ("tests.alertsdb",)
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Alertmanager: apt-get install prometheus-alertmanager")
CONFIG = "route: {receiver: nobody, group_wait: 1h}\nreceivers: [{name: nobody}]\n"


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """One of its own on a free port, alone, with its data in `folder`."""
    assert PROGRAM is not None
    (folder / "alertmanager.yml").write_text(CONFIG)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/-/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready)
            yield client
    finally:
        process.terminate()
        await process.wait()


async def alerts_of(client: httpx.AsyncClient, **query: str) -> list[Any]:
    found = await client.get("/api/v2/alerts", params=query)
    assert found.status_code == 200, found.text
    rows: list[Any] = found.json()
    return rows


async def test_an_incident_is_an_alert_until_it_is_resolved(tmp_path: Path, alerts_db: Database) -> None:
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with alertmanager(tmp_path) as client:
        file = tmp_path / "alerts.yaml"
        file.write_text(
            f'receivers:\n  am: {{alertmanager: {{url: "{client.base_url}", labels: {{centre: north}}}}}}\n'
            "routes: {receiver: am}\n"
        )
        async with running(bus, alerts_db, file=file, public_url="https://alerts.test") as alerts:
            await publish(bus, flag())
            (alert,) = await until(lambda: alerts_of(client))
            assert alert["labels"] == {
                "alertname": "slow_transfer",
                "site": "s1",
                "severity": "critical",
                "incident": "1",
                "centre": "north",
            }
            assert alert["annotations"]["summary_zh"] == "陈静 转接已超过 7 秒"
            assert alert["annotations"]["queue"] == "sales"
            assert alert["generatorURL"] == "https://alerts.test/#incident=1"
            assert alert["status"]["state"] == "active"

            await until(lambda: alerts.metric("alerts_receiver_sends_total", receiver="am", outcome="sent") == 1)
            await alerts.service.reach.upkeep.step()
            (again,) = await alerts_of(client)
            assert again["endsAt"] > alert["endsAt"], "it is kept up"
            assert (again["startsAt"], again["fingerprint"]) == (alert["startsAt"], alert["fingerprint"])

            tried = await alerts.post("/receivers/am/test", {"by": "Li"})
            assert [one["ok"] for one in tried["attempts"]] == [True]
            names = {one["labels"]["alertname"] for one in await alerts_of(client)}
            assert names == {"slow_transfer", "FloorwatchTest"}

            await alerts.post("/incidents/1/resolve", {"by": "Li"})
            await alerts.service.reach.upkeep.step()
            assert {one["labels"]["alertname"] for one in await alerts_of(client)} == {"FloorwatchTest"}
