"""The incidents page in a real browser, on the real service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, Alerts, clearing, flag, migrated, publish, serving
from tests.browser.conftest import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="package")


class Floor:
    """A service, its bus and its page."""

    def __init__(self, alerts: Alerts, bus: MemoryBus, page: Page) -> None:
        self.alerts = alerts
        self.bus = bus
        self.page = page

    def row(self, number: int):  # type: ignore[no-untyped-def]
        return self.page.locator(f"tr[data-id='{number}']")


@contextlib.asynccontextmanager
async def incidents(viewer: Viewer, folder: Path, path: str = "/", *, up: bool = True) -> AsyncIterator[Floor]:
    bus = MemoryBus()
    await bus.create(TOPICS)
    if not up:
        bus.break_down("no broker answers there")
    database = await migrated(f"sqlite:///{folder / 'alerts.db'}")
    async with serving(bus, database) as (alerts, url):
        page = await viewer.open(url + path)
        try:
            yield Floor(alerts, bus, page)
        finally:
            await page.close()
    await database.close()


async def test_an_incident_appears_is_taken_and_resolved_without_a_reload(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        await expect(page.get_by_text("No open incidents")).to_be_visible()
        await publish(floor.bus, flag(simulated=True))
        await expect(floor.row(1)).to_contain_text("Chen Jing's transfer has taken more than 7 s")
        await expect(floor.row(1)).to_contain_text("Critical")
        await expect(page.locator(".topbar-mark")).to_have_text("SIMULATED")
        await floor.row(1).get_by_role("button", name="Acknowledge").click()  # nobody knows the name yet
        await page.get_by_label("Your name").fill("Li Wei")
        await page.locator("dialog").get_by_role("button", name="Acknowledge").click()
        await expect(floor.row(1)).to_contain_text("Acknowledged")
        await expect(floor.row(1)).to_contain_text("Li Wei")
        await page.get_by_role("button", name="Resolve …").click()
        await page.get_by_label("Cause").fill("no free agent")
        await page.get_by_role("button", name="Resolve", exact=True).click()
        await expect(page.locator(".timeline")).to_contain_text("no free agent")
        await page.keyboard.press("Escape")
        await expect(page.get_by_text("No open incidents")).to_be_visible()
        await page.get_by_role("button", name="Resolved 1", exact=True).click()
        await expect(floor.row(1)).to_contain_text("Resolved")


async def test_somebody_whose_name_is_known_takes_an_incident_with_one_click(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        await floor.page.evaluate("localStorage.setItem('floorwatch.name', 'Wu Na')")
        await publish(floor.bus, flag())
        await floor.row(1).get_by_role("button", name="Acknowledge").click()
        await expect(floor.row(1)).to_contain_text("Wu Na")
        await expect(floor.page.locator("dialog")).to_have_count(0)


async def test_the_worst_and_oldest_is_on_top(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        await publish(
            floor.bus,
            flag("f1", "a", severity="info"),
            flag("f2", "b", severity="critical"),
            flag("f3", "c", severity="warning"),
            flag("f4", "d", severity="critical"),
        )
        await expect(floor.page.locator("tbody tr")).to_have_count(4)
        numbers = [await row.get_attribute("data-id") for row in await floor.page.locator("#rows tr").all()]
        assert numbers == ["2", "4", "3", "1"]


async def test_the_detail_shows_the_legs_and_nothing_of_a_callers_number(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        labels = {"agent": "1001", "agent_name": "Chen Jing", "target": "Li Na", "queue": "sales"}
        await publish(floor.bus, flag(labels=labels), clearing())
        # by the switch's clock, of which only the duration can stand beside ours
        await expect(floor.row(1)).to_contain_text("Ended after 9.3 s")
        await floor.row(1).focus()
        await floor.page.keyboard.press("Enter")
        drawer = floor.page.locator("dialog")
        for said in (
            "Attended transfer Chen Jing → Li Na, completed",
            "3.7 s",
            "9.3 s",
            "limit 7.0 s",
            "09:00:04.900",
            "No channel configured",
        ):
            await expect(drawer).to_contain_text(said)
        assert await drawer.get_by_role("link", name="Report").get_attribute("href") == (
            "/api/v1/incidents/1/report?lang=en"
        )
        await floor.page.get_by_role("button", name="简体中文").evaluate("button => button.click()")
        await expect(floor.page.locator("dialog[open]")).to_contain_text("咨询转接")
        await expect(floor.row(1)).to_contain_text("陈静 转接已超过 7 秒")


async def test_no_data_is_not_no_incidents(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path, up=False) as floor:
        empty = floor.page.locator("#empty")
        await expect(empty).to_contain_text("No data yet: not connected to Kafka, tried since")
        await expect(empty).to_contain_text("no broker answers there")
        floor.bus.recover()
        await expect(empty).to_contain_text("No open incidents")
        await publish(floor.bus, flag())
        await expect(floor.row(1)).to_be_visible()
        floor.bus.break_down("unplugged")
        await expect(floor.page.locator("#notices")).to_contain_text("No data: not connected to Kafka since")


async def test_a_service_that_does_not_answer_is_said_to_and_not_that_nothing_is_wrong(
    viewer: Viewer, tmp_path: Path
) -> None:
    keep = """window.EventSource = class extends EventSource {
      constructor(url) { super(url); window.stream = this; }
    };"""
    await viewer.context.add_init_script(keep)
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        await expect(page.get_by_text("No open incidents")).to_be_visible()
        await page.context.route("**/api/v1/stream", lambda route: route.abort())
        await page.evaluate("() => window.stream.close()")  # nothing is said from now on
        await expect(page.locator("#notices")).to_contain_text("The incident service has not answered since")
        await expect(page.locator("#empty")).to_have_text("Whether there are incidents is not known at the moment.")
        await page.context.unroute("**/api/v1/stream")
        await expect(page.get_by_text("No open incidents")).to_be_visible()
        await expect(page.locator("#notices")).not_to_contain_text("has not answered")
    viewer.complaints.clear()  # the browser itself tells of what it cannot reach


async def test_a_link_in_a_notification_opens_its_incident(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        await publish(floor.bus, flag())
        await expect(floor.row(1)).to_be_visible()
        page = await viewer.open(floor.page.url.split("#")[0] + "#incident=1")
        await expect(page.locator("dialog h2")).to_have_text("Incident #1")
        await page.close()


async def test_a_refusal_is_told_in_words(viewer: Viewer, tmp_path: Path) -> None:
    """Somebody else was quicker, and the page does not know yet."""
    async with incidents(viewer, tmp_path) as floor:
        await publish(floor.bus, flag())
        await floor.row(1).click()
        await floor.page.get_by_label("Your name").fill("Wu Na")
        floor.alerts.service.hub.publish = lambda *_, **__: None  # type: ignore[method-assign]
        await floor.alerts.post("/incidents/1/acknowledge", {"by": "Li Wei"})
        drawer = floor.page.locator("dialog")
        await drawer.get_by_role("button", name="Acknowledge").click()
        await expect(drawer.get_by_role("alert")).to_contain_text("the incident is acknowledged by Li Wei")
        await expect(drawer.get_by_role("button", name="Acknowledge")).to_have_count(0)
    viewer.complaints.clear()  # the browser's own line about the 409


@pytest.mark.parametrize("size", [(1366, 768), (1024, 768), (1920, 1080)])
async def test_nothing_scrolls_sideways(viewer: Viewer, tmp_path: Path, size: tuple[int, int]) -> None:
    async with incidents(viewer, tmp_path) as floor:
        await floor.page.set_viewport_size({"width": size[0], "height": size[1]})
        long = "Somebody with a rather long name " * 6
        await publish(floor.bus, flag(summary_en=long, labels={"agent_name": long}))
        await expect(floor.row(1)).to_be_visible()
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await floor.page.evaluate(wide)
        assert not await floor.page.evaluate(
            "(t => t.scrollWidth > t.clientWidth)(document.querySelector('.table-scroll'))"
        )
        await floor.row(1).click()
        await expect(floor.page.locator(".timeline")).to_be_visible()
        assert not await floor.page.evaluate("(d => d.scrollWidth > d.clientWidth)(document.querySelector('dialog'))")
