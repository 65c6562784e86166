"""Rewinding in the page: a real monitor with its worker on a broker, a moment of minutes ago, and back to now."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Route, expect
from prometheus_client import CollectorRegistry

from services.monitor.app import Monitor
from services.monitor.desk.store import MIGRATIONS
from shared import events, topics
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.envelope import Data
from shared.kafka import KafkaBus
from shared.migrate import upgrade
from shared.service import Background
from shared.settings import MonitorSettings
from shared.siteconfig import Sites
from tests.browser.conftest import Viewer
from tests.embedded import embedded_broker
from tests.floorkit import RULES, at, event
from tests.pumpkit import until
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="package")


class Floor:
    """Two sites told to a broker; what each says at a second of its clock."""

    def __init__(self, bus: KafkaBus, monitor: Monitor) -> None:
        self._bus, self.monitor = bus, monitor
        self._offset = 0
        self.url = ""

    async def say(self, second: float, *data: Data, site: str = "hq") -> None:
        """Say it, and return when the monitor has heard it and a mark of that second."""
        for one in (*data, events.Clock()):
            mark = isinstance(one, events.Clock)
            made = event(second, one, -1 if mark else self._offset, site)
            self._offset += not mark
            await self._bus.publish(topics.FLOOR_EVENTS, encode(made), key=site)
        await self._bus.flush()
        await until(lambda: self.monitor.engine.clocks().get(site, (None,))[0] == at(second))

    async def look_back(self) -> None:
        """Return when the worker has answered: it starts when it is first asked, makes room for everything else, and may take
        longer on a machine with much to do than a page waits."""
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S) as client:
            (await client.get("/api/v1/rewind/hq")).raise_for_status()


@contextlib.asynccontextmanager
async def monitoring(folder: Path) -> AsyncIterator[Floor]:
    """The monitor as `services.monitor.app` puts it together, on a broker of its own; a state is kept all the time."""
    database = Database(f"sqlite:///{folder / 'monitor.db'}")
    await upgrade(database, MIGRATIONS)
    with embedded_broker(folder / "broker.log") as broker:
        buses = [KafkaBus(broker.bootstrap) for _ in range(3)]
        await buses[2].create(topics.ALL)
        settings = MonitorSettings(
            kafka_bootstrap=broker.bootstrap,
            checkpoint_s=0.1,
            history_s=0.2,
            history_records=1,
            rewind_limit_s=PATIENCE_S,
        )
        monitor = Monitor(
            settings,
            buses[0],
            SystemClock(),
            Sites(),
            RULES,
            CollectorRegistry(),
            database=database,
            history=buses[1],
        )
        sock = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(monitor.app(), log_config=None, ws="websockets-sansio", lifespan="off"))
        floor = Floor(buses[2], monitor)
        floor.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with Background() as background:
            pump = background.start("pump", monitor.pump.run())
            background.start("clock", monitor.hub.run_clock())
            monitor.desk.start(background)
            monitor.rewind.start(background)
            serving = asyncio.create_task(server.serve(sockets=[sock]))
            try:
                await until(lambda: monitor.pump.status.ready)
                yield floor
            finally:
                monitor.hub.close()
                server.should_exit = True
                monitor.pump.stop()
                await asyncio.gather(pump, serving, return_exceptions=True)
        await monitor.rewind.close()
        for bus in buses:
            await bus.close()
        sock.close()
    await database.close()


async def a_morning(floor: Floor) -> None:
    """Ana talks from 09:00:20 to 09:01:20; Bo goes to lunch at 09:04."""
    await floor.say(
        0,
        events.LinkUp(connector="test", switch="test", simulated=True),
        events.AgentLoggedOn(agent_id="1", name="Ana Silva", team="Blue", queues=("sales",)),
        events.AgentLoggedOn(agent_id="2", name="Bo Lind", team="Blue", queues=("sales",)),
    )
    await until(lambda: floor.monitor.pump.status.last_checkpoint is not None)  # so that there is a first moment
    await floor.say(10, events.CallQueued(call_id="c", queue="sales", from_number="+4512345678"))
    await floor.say(15, events.LegStarted(call_id="c", leg_id="l", agent_id="1", queue="sales"))
    await floor.say(20, events.LegAnswered(call_id="c", leg_id="l"), events.CallDequeued(
        call_id="c", queue="sales", reason="answered", agent_id="1"
    ))  # fmt: skip
    await floor.say(80, events.CallCleared(call_id="c", cleared_by="customer"))
    await floor.say(240, events.AgentNotReady(agent_id="2", reason="lunch"))
    await floor.say(300)
    await floor.look_back()


def card(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.locator(".card", has=page.locator(".card-name", has_text=name))


async def after_a_second(route: Route) -> None:
    await asyncio.sleep(1.0)
    await route.continue_()


async def test_a_supervisor_looks_back_and_returns(viewer: Viewer, tmp_path: Path) -> None:
    async with monitoring(tmp_path) as floor:
        await a_morning(floor)
        # longer than the page waits for another step before it says which moment is shown
        await viewer.context.route("**/api/v1/rewind/hq/floor*", after_a_second, times=1)
        page = await viewer.open(f"{floor.url}/?at=2026-11-22T09:00:45Z")
        mark, bar = page.locator(".rewind-mark"), page.locator("#rewind-bar")
        await expect(page.locator("body[data-rewound]")).to_be_visible()
        await expect(mark).to_have_text("REWIND")
        await expect(card(page, "Ana Silva")).to_contain_text("Talk")
        await expect(card(page, "Ana Silva")).to_contain_text("0:25")
        await expect(card(page, "Bo Lind")).to_contain_text("Ready")
        await expect(page.locator(".site-clock")).to_have_text("09:00:45")
        await expect(page).to_have_title("REWIND 09:00:45 · Floorwatch")
        await expect(bar.locator("[role=status]").last).to_contain_text("this is the floor of 09:00:45")
        frame = await page.evaluate("getComputedStyle(document.body, '::after').borderTopStyle")
        assert frame == "solid", "a frame around all of it"

        await page.get_by_role("button", name="One minute on").click()
        await expect(card(page, "Ana Silva")).to_contain_text("Ready")
        await expect(page.locator(".rewind-time")).to_have_text("09:01:45")
        await page.get_by_role("slider").press("ArrowLeft")
        await page.get_by_role("slider").press("ArrowLeft")
        await page.get_by_role("slider").press("ArrowLeft")
        await expect(page.locator(".rewind-time")).to_have_text("09:01:15")
        await expect(card(page, "Ana Silva")).to_contain_text("Talk")
        await page.wait_for_url("**at=2026-11-22T09*01*15Z*")

        await floor.say(301, events.AgentNotReady(agent_id="1", reason="tea"))  # it goes on beside, and is not drawn
        await page.get_by_role("button", name="Ten seconds back").click()
        await expect(page.locator(".rewind-time")).to_have_text("09:01:05")
        await expect(card(page, "Ana Silva")).to_contain_text("Talk")
        await page.get_by_role("button", name="Back to now").click()
        await expect(card(page, "Ana Silva")).to_contain_text("Break")
        await expect(card(page, "Bo Lind")).to_contain_text("Break")
        await expect(bar).to_be_hidden()
        await expect(page.locator(".rewind-open")).to_be_focused()  # the keyboard goes on where it was
        await expect(page).not_to_have_url(re.compile("at="))
        await page.go_back()
        await expect(mark).to_be_visible()
        await expect(card(page, "Ana Silva")).to_contain_text("Talk")
        assert viewer.complaints == []
        found = await Axe().run(page, context="#rewind-bar")
        serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in serious] == []
        await page.close()
    viewer.complaints.clear()  # of the scan, which tries styles that the page's policy forbids


async def test_one_of_several_sites_is_chosen_and_played_in_chinese(viewer: Viewer, tmp_path: Path) -> None:
    async with monitoring(tmp_path) as floor:
        await a_morning(floor)
        await floor.say(
            0, events.LinkUp(connector="south"), events.AgentLoggedOn(agent_id="9", name="Cy Young"), site="south"
        )
        await floor.say(300, site="south")
        page = await viewer.open(f"{floor.url}/?lang=zh")
        await expect(card(page, "Cy Young")).to_be_visible()
        await page.get_by_role("button", name="回看").click()
        await expect(page.locator(".rewind-said")).to_have_text("一次只能回看一个职场。")
        await page.locator(".rewind-site").select_option("hq")
        await expect(page.locator("body[data-rewound]")).to_be_visible()
        await expect(page.locator(".rewind-mark")).to_have_text("回看")
        await expect(card(page, "Ana Silva")).to_be_visible()
        await expect(card(page, "Cy Young")).to_have_count(0)
        await page.get_by_role("slider").press("Home")
        await expect(page.locator(".rewind-said")).to_contain_text("是所存的最早时刻")
        await expect(card(page, "Bo Lind")).to_contain_text("就绪")
        for _ in range(3):
            await page.get_by_role("button", name="前进一分钟").click()
        await page.get_by_role("button", name="前进十秒").click()
        await page.get_by_role("button", name="16 倍").click()
        await page.get_by_role("button", name="播放").click()
        await expect(card(page, "Bo Lind")).to_contain_text("休息")  # half a minute later there
        await expect(card(page, "Cy Young")).to_be_visible()  # it caught up with now
        await expect(page.locator("#rewind-bar")).to_be_hidden()
        await page.close()
