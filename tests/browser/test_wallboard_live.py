"""The wallboard on the real monitor: canonical events in, a page that a supervisor reads out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Page, expect
from prometheus_client import CollectorRegistry

from services.monitor.app import Monitor
from shared import events, topics
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.envelope import Data
from shared.memorybus import MemoryBus
from shared.service import Background
from shared.settings import MonitorSettings, load
from tests.browser.conftest import Viewer
from tests.floorkit import CONFIG, RULES
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

SITE = "hq"
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Floor:
    """A switch's floor as the monitor hears of it: `say` at a second of the switch's clock."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._offset = 0
        self.url = ""

    async def say(self, second: float, *data: Data, site: str = SITE) -> None:
        """Write events of that second; a `Clock` mark has no position, as ingest writes it."""
        for one in data:
            mark = isinstance(one, events.Clock)
            event = events.make(
                one,
                id=f"{site}:{self._offset}:{second}",
                source=f"/sites/{site}/test",
                site=site,
                time=START + timedelta(seconds=second),
                rawpartition=-1 if mark else 0,
                rawoffset=-1 if mark else self._offset,
            )
            self._offset += not mark
            await self._bus.publish(topics.FLOOR_EVENTS, encode(event), key=site)
        await self._bus.flush()


@contextlib.asynccontextmanager
async def monitoring(folder: Path) -> AsyncIterator[Floor]:
    """The monitor service as `services.monitor.app` puts it together, on a bus in memory, its database in `folder`."""
    bus, clock, registry = MemoryBus(), SystemClock(), CollectorRegistry()
    await bus.create(topics.ALL)
    database = Database(f"sqlite:///{folder / 'monitor.db'}")
    monitor = Monitor(load(MonitorSettings), bus, clock, CONFIG, RULES, registry, database=database)
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(monitor.app(), log_config=None, ws="websockets-sansio", lifespan="off"))
    floor = Floor(bus)
    floor.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    async with Background() as background:
        background.start("pump", monitor.pump.run())
        background.start("clock", monitor.hub.run_clock())
        monitor.desk.start(background)
        await until(lambda: not monitor.desk.store.trouble)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield floor
        finally:
            monitor.hub.close()
            server.should_exit = True
            await serving
    await database.close()
    sock.close()


def card(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.locator(".card", has=page.locator(".card-name", has_text=name))


async def test_a_call_from_the_queue_to_a_slow_transfer(viewer: Viewer, tmp_path: Path) -> None:
    async with monitoring(tmp_path) as floor:
        page = await viewer.open(floor.url)
        await expect(page.locator("#welcome")).to_contain_text("No switch has reported yet")

        await floor.say(0, events.LinkUp(connector="test", switch="test switch", simulated=True))
        await floor.say(
            0,
            events.AgentLoggedOn(agent_id="1001", name="Ana Silva", team="Blue", queues=("sales",)),
            events.AgentLoggedOn(agent_id="1002", name="Bo Lind", team="Blue", queues=("sales",)),
        )
        await expect(card(page, "Ana Silva")).to_contain_text("Ready")
        await expect(page.locator(".topbar-mark")).to_have_text("SIMULATED")

        await floor.say(10, events.CallQueued(call_id="c1", queue="sales", from_number="+4512345678"))
        await expect(page.locator(".figure-waiting .figure-value")).to_have_text("1")
        await floor.say(
            12, events.LegStarted(call_id="c1", leg_id="l1", agent_id="1001", queue="sales", peer="+4512345678")
        )
        await expect(card(page, "Ana Silva")).to_contain_text("Ringing")
        await floor.say(
            14,
            events.LegAnswered(call_id="c1", leg_id="l1"),
            events.CallDequeued(call_id="c1", queue="sales", reason="answered", agent_id="1001"),
        )
        await expect(card(page, "Ana Silva")).to_contain_text("Talk")
        await expect(page.locator(".figure-waiting .figure-value")).to_have_text("0")
        await expect(page.locator(".figure-answered .figure-value")).to_have_text("1")
        await expect(page.locator(".figure-level .figure-value")).to_have_text("100%")

        await floor.say(
            30,
            events.TransferRequested(
                transfer_id="t1", call_id="c1", kind="attended", from_agent="1001", to_agent="1002"
            ),
        )
        await expect(page.locator(".transfer")).to_contain_text("Ana Silva → Bo Lind")
        await expect(page.locator(".flag")).to_have_count(0)
        await floor.say(37.2, events.Clock())  # nothing happened; seven seconds passed on the switch
        await expect(page.locator(".flag")).to_have_count(1)
        await expect(page.locator(".transfer")).to_have_attribute("data-slow", "yes")
        await floor.say(39, events.TransferBridged(transfer_id="t1", to_agent="1002"))
        await expect(page.locator(".flag")).to_have_count(0)
        await expect(page.locator(".transfer .transfer-time")).to_have_text("9.0 s")

        await floor.say(40, events.LinkDown(connector="test", reason="the switch hung up"))
        await expect(page.locator(".site-notice")).to_contain_text("the switch hung up")
        await expect(card(page, "Ana Silva")).to_have_attribute("data-stale", "yes")
        await page.close()
