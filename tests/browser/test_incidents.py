"""The incidents page in a real browser, on the real service."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect
from playwright.async_api import TimeoutError as PatienceLost

from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, Alerts, migrated, publish, serving
from tests.browser.conftest import Viewer
from tests.flagkit import clearing, flag
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

CUTS = """window.WebSocket = class extends WebSocket {
  constructor(url) { super(url); window.line = this; }
};"""
WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# a function: what is none can be looked at once, and the page's policy forbids to do so again
LINES_FIT = """() => [...document.querySelectorAll(".incident, .incident-head")].every(
  (line) => line.scrollWidth <= line.clientWidth)"""


class Floor:
    """A service, its bus and its page."""

    def __init__(self, alerts: Alerts, bus: MemoryBus, page: Page) -> None:
        self.alerts = alerts
        self.bus = bus
        self.page = page

    def row(self, number: int, page: Page | None = None) -> Locator:
        return (page or self.page).locator(f".incident[data-id='{number}']")

    async def shown(self, numbers: list[int]) -> None:
        """Wait until exactly these are listed, in this order."""
        await until(lambda: self.are(".incident", numbers), f"{numbers} are listed")

    async def selected(self, numbers: list[int]) -> None:
        """Wait until exactly these are selected."""
        await until(lambda: self.are(".incident[aria-selected=true]", numbers), f"{numbers} are selected")

    async def are(self, rows: str, numbers: list[int]) -> bool:
        found: list[int] = await self.page.evaluate(
            "(rows) => [...document.querySelectorAll(rows)].map(row => Number(row.dataset.id))", rows
        )
        return found == numbers


@contextlib.asynccontextmanager
async def incidents(
    viewer: Viewer, folder: Path, path: str = "/", *, up: bool = True, name: str = "Wu Na"
) -> AsyncIterator[Floor]:
    """The page of somebody called `name`; "": nobody knows yet."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    if not up:
        bus.break_down("no broker answers there")
    database = await migrated(f"sqlite:///{folder / 'alerts.db'}")
    if name:
        await viewer.context.add_init_script(f"localStorage.setItem('floorwatch.name', '{name}')")
    async with serving(bus, database) as (alerts, url):
        page = await viewer.open(url + path)
        try:
            yield Floor(alerts, bus, page)
        finally:
            await page.close()
    await database.close()


def five() -> list[Any]:
    return [
        flag("f1", "a", severity="info", rule="long_wrap", labels={"queue": "support"}, summary_en="Anna wraps"),
        flag("f2", "b", severity="critical", labels={"queue": "sales"}),
        flag("f3", "c", severity="warning", labels={"queue": "sales"}),
        flag("f4", "d", severity="critical", labels={"queue": "support"}),
        flag("f5", "e", severity="warning", labels={"queue": "sales"}),
    ]


async def test_an_incident_appears_is_taken_and_resolved_on_every_open_page(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path, name="") as floor, viewer.beside(floor.page.url + "?lang=zh") as other:
        page = floor.page
        await expect(page.get_by_text("No open incidents")).to_be_visible()
        await expect(page.locator(".empty-facts")).to_contain_text("There has been no incident yet.")
        await publish(floor.bus, flag(simulated=True))
        await expect(floor.row(1)).to_contain_text("Chen Jing's transfer has taken more than 7 s")
        await expect(floor.row(1)).to_contain_text("Critical")
        await expect(page.locator(".topbar-mark")).to_have_text("SIMULATED")
        await expect(page).to_have_title("(1) Incidents · Floorwatch")
        await expect(floor.row(1, other)).to_contain_text("陈静 转接已超过 7 秒")
        await floor.row(1).get_by_role("button", name="Acknowledge").click()  # nobody knows the name yet
        await page.get_by_label("Your name").last.fill("Li Wei")
        await page.locator("dialog").get_by_role("button", name="Acknowledge").click()
        for one in (page, other):
            await expect(floor.row(1, one)).to_contain_text("Li Wei")
        await expect(floor.row(1, other)).to_contain_text("已认领")
        await expect(page).to_have_title("Incidents · Floorwatch")
        await floor.alerts.post("/incidents/1/resolve", {"by": "Li Wei", "cause": "no free agent"})
        await page.keyboard.press("Escape")
        await expect(page.get_by_text("No open incidents")).to_be_visible()
        await expect(page.locator(".empty-facts")).to_contain_text("Last incident: #1")
        await expect(other.locator("#empty")).to_contain_text("没有未解决的事件")
        await page.get_by_role("button", name=re.compile("^Resolved")).click()
        await expect(floor.row(1)).to_contain_text("Resolved")


async def test_the_worst_and_oldest_is_on_top_and_a_link_shows_the_same_list(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        await publish(floor.bus, *five())
        await floor.shown([2, 4, 3, 5, 1])
        await expect(page.locator(".group-name")).to_have_text(["Critical", "Warning", "Info"])
        filters = page.locator("#filters")
        await filters.get_by_role("button", name="Warning").click()
        await floor.shown([3, 5])
        await expect(filters.get_by_role("button", name="Critical")).to_have_text("Critical2")  # it would leave two
        await page.keyboard.press("/")
        await page.keyboard.type("SALES")
        await floor.shown([3, 5])
        await expect(filters.get_by_role("button", name="Critical")).to_have_text("Critical1")
        await filters.get_by_role("button", name="Critical").click()
        await floor.shown([2, 3, 5])
        await expect(page).to_have_url(re.compile(r"(?=.*severity=warning,critical)(?=.*q=SALES)"))
        linked = page.url
        await page.go_back()
        await floor.shown([3, 5])
        await page.goto(linked)
        await floor.shown([2, 3, 5])
        await page.get_by_role("button", name="Clear filters").click()
        await floor.shown([2, 4, 3, 5, 1])
        await page.get_by_label("Rule", exact=True).select_option("long_wrap")
        await floor.shown([1])
        await page.keyboard.press("Escape")  # in a select it is the browser's
        await page.goto(page.url.split("?")[0] + "?owner=mine")
        await expect(page.locator("#empty")).to_contain_text("Nothing fits these filters")
        await floor.alerts.post("/incidents/3/acknowledge", {"by": "Wu Na"})
        await floor.shown([3])


async def test_many_are_taken_at_once_and_what_is_refused_is_named(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        await publish(floor.bus, *five())
        await floor.shown([2, 4, 3, 5, 1])
        await floor.row(2).get_by_role("checkbox").click()
        await floor.row(5).click(modifiers=["Shift"])
        await floor.row(3).click(modifiers=["Control"])
        await floor.selected([2, 4, 5])
        await page.get_by_label("Note for all of them").fill("on it")

        async def slower(route: Route) -> None:
            await floor.alerts.post("/incidents/4/acknowledge", {"by": "Li Wei"})
            await route.continue_()

        await page.route("**/incidents/acknowledge", slower)
        await page.get_by_role("button", name="Acknowledge 3").click()
        said = page.locator(".bulk-result")
        await expect(said).to_contain_text("2 acknowledged, 1 refused")
        await expect(said.locator("li")).to_have_count(1)
        await expect(said.locator("li")).to_contain_text("#4")
        await expect(said.locator("li")).to_contain_text("acknowledged by Li Wei")
        await expect(floor.row(5)).to_contain_text("Wu Na")
        await expect(floor.row(4)).to_contain_text("Li Wei")
        await floor.selected([4])
        found = await floor.alerts.get("/incidents/2")
        assert [one["note"] for one in found["timeline"] if one["kind"] == "acknowledged"] == ["on it"]


async def chord(page: Page, keys: str, shows: Locator) -> bool:
    """Press one key after the other; whether that `shows` it. The page waits for the second one for a moment and a half."""
    for key in keys:
        await page.keyboard.press(key)
    with contextlib.suppress(PatienceLost):
        await shows.wait_for(timeout=3000)
    return await shows.is_visible()


async def test_everything_is_done_by_keys_alone(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        page, keys = floor.page, floor.page.keyboard
        first, *worse = five()
        await publish(floor.bus, first)
        await floor.shown([1])
        await publish(floor.bus, *worse)
        await floor.shown([2, 4, 3, 5, 1])
        await keys.press("j")
        await expect(floor.row(2)).to_be_focused()
        await keys.press("j")
        await keys.press("x")
        await keys.press("Shift+J")
        await floor.selected([4, 3])
        await keys.press("a")
        await expect(page.locator(".bulk-result")).to_contain_text("2 incidents acknowledged")
        await floor.shown([2, 4, 5, 3, 1])
        await expect(floor.row(3)).to_be_focused()  # it went where it belongs, and the cursor with it
        await keys.press("k")
        await expect(floor.row(5)).to_be_focused()
        await keys.press("a")
        await expect(floor.row(5)).to_contain_text("Wu Na")
        await keys.press("Home")
        await keys.press("Enter")
        await expect(page.locator("dialog h2")).to_have_text("Incident #2")
        await keys.press("Escape")
        await expect(page.locator("dialog")).to_have_count(0)
        await expect(floor.row(2)).to_be_focused()
        await keys.press("?")
        await expect(page.locator("#help")).to_contain_text("acknowledge what is selected, else this one")
        await keys.press("?")
        await expect(page.locator("#help")).to_be_hidden()
        await until(lambda: chord(page, "gr", page.locator("#empty", has_text="None yet")), "those resolved are shown")
        await until(lambda: chord(page, "gu", floor.row(2)), "those unresolved are shown")
        await floor.shown([2, 4, 3, 5, 1])
        await keys.press("/")
        await keys.type("#5")
        await floor.shown([5])
        await keys.press("Enter")
        await expect(floor.row(5)).to_be_focused()
        await keys.press("Escape")
        await floor.shown([2, 4, 3, 5, 1])


async def test_a_line_whose_incident_is_gone_leaves_the_cursor_with_the_next(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        await publish(floor.bus, *five())
        await floor.shown([2, 4, 3, 5, 1])
        await floor.row(4).focus()
        await floor.alerts.post("/incidents/4/resolve", {"by": "Li Wei"})
        await floor.shown([2, 3, 5, 1])
        await expect(floor.row(3)).to_be_focused()


async def test_a_storm_is_listed_whole_and_only_what_is_seen_exists(viewer: Viewer, tmp_path: Path) -> None:
    many = 120
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        await publish(floor.bus, *(flag(f"f{n}", f"t{n}", severity="warning") for n in range(many)))
        await expect(page.locator(".segments [data-name=unresolved]")).to_have_text(f"Unresolved{many}")
        await expect(page.locator(".segments [data-name=warning]")).to_have_text(f"Warning{many}")
        await page.keyboard.press("j")
        await expect(page.locator(".incident:focus")).to_have_count(1)
        await page.keyboard.press("End")
        await expect(page.locator(".incident:focus")).to_have_attribute("aria-rowindex", str(many + 2))
        assert await page.locator(".incident").count() < 60
        await publish(floor.bus, flag("worse", "worse", severity="critical"))
        await expect(page.locator("#spoken")).to_contain_text(f"Critical incident {many + 1}")

        async def reached_by_home() -> bool:
            """It is spoken of before it is listed."""
            await page.keyboard.press("Home")
            return await page.locator(f".incident[data-id='{many + 1}']:focus").count() == 1

        await until(reached_by_home, "the worst is on top", every_s=0.05)


async def test_the_page_is_right_again_after_its_line_was_cut(viewer: Viewer, tmp_path: Path) -> None:
    await viewer.context.add_init_script(CUTS)
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        await publish(floor.bus, *five())
        await floor.shown([2, 4, 3, 5, 1])
        await page.context.route("**/api/v1/tickets", lambda route: route.abort())
        await page.evaluate("() => window.line.close()")
        await expect(page.locator("#notices")).to_contain_text("The incident service has not answered since")
        await floor.alerts.post("/incidents/2/resolve", {"by": "Li Wei"})
        await floor.alerts.post("/incidents/3/acknowledge", {"by": "Li Wei"})
        await publish(floor.bus, flag("f6", "f", severity="critical"))

        async def six() -> bool:
            return len(await floor.alerts.incidents()) == 6

        await until(six, "the sixth is open")
        assert await floor.are(".incident", [2, 4, 3, 5, 1])
        await page.context.unroute("**/api/v1/tickets")
        await floor.shown([4, 6, 5, 3, 1])
        await expect(floor.row(3)).to_contain_text("Li Wei")
        await expect(page.locator("#notices")).not_to_contain_text("has not answered")
    viewer.complaints.clear()  # the browser itself tells of what it cannot reach


async def test_no_data_is_not_no_incidents(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path, up=False) as floor:
        page, empty = floor.page, floor.page.locator("#empty")
        await expect(empty).to_contain_text("No data yet: not connected to Kafka, tried since")
        await expect(empty).to_contain_text("no broker answers there")
        floor.bus.recover()
        await expect(empty).to_contain_text("No open incidents")
        await publish(floor.bus, flag())
        await expect(floor.row(1)).to_be_visible()
        floor.bus.break_down("unplugged")
        await expect(page.locator("[data-notice=kafka]")).to_contain_text("No data: not connected to Kafka since")
        away = {"title": "Service Unavailable", "status": 503, "detail": "database is locked; nothing was changed"}
        await page.route("**/api/v1/incidents?*", lambda route: route.fulfill(status=503, json=away))
        floor.bus.recover()  # then the page asks anew
        await expect(page.locator("[data-notice=database]")).to_contain_text("database is locked")
        await expect(floor.row(1)).to_be_visible()
        await page.unroute("**/api/v1/incidents?*")
        await expect(page.locator("[data-notice=database]")).to_have_count(0)
    viewer.complaints.clear()


async def test_whoever_wants_it_is_called_once_for_what_is_new(viewer: Viewer, tmp_path: Path) -> None:
    await viewer.context.add_init_script(
        """window.called = [];
        window.Notification = class {
          static permission = "granted";
          static requestPermission = async () => "granted";
          constructor(title, { body }) { window.called.push(`${title}: ${body}`); }
          close() {}
        };"""
    )
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        await publish(floor.bus, flag("before", "before"))
        await expect(floor.row(1)).to_be_visible()
        await page.get_by_role("button", name="You are not called for new incidents").click()
        await page.get_by_role("switch", name="By a notification of the desktop").check()
        await page.keyboard.press("Escape")
        await publish(floor.bus, flag("w", "w", severity="warning"), flag("c", "c", summary_en="Nobody is ready"))
        await expect(floor.row(3)).to_be_visible()
        await until(lambda: page.evaluate("window.called.length"), "the call")
        assert await page.evaluate("window.called") == ["Critical incident: #3 Nobody is ready · First floor"]
        await page.reload()
        await expect(page.get_by_role("button", name="You are called for new incidents")).to_be_visible()


async def test_nothing_scrolls_sideways(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        page = floor.page
        long = "Somebody with a rather long name " * 6
        await publish(floor.bus, flag(summary_en=long, labels={"agent_name": long}), clearing())
        # by the switch's clock, of which only the duration can stand beside ours
        await expect(floor.row(1)).to_contain_text("Ended after 9.3 s")
        await floor.row(1).focus()
        for width, height in ((1366, 768), (1024, 768), (1920, 1080)):
            await page.set_viewport_size({"width": width, "height": height})
            for _ in ("the list alone", "beside an open incident"):
                await page.wait_for_function(LINES_FIT)  # they take the list's new width in the next frame
                assert not await page.evaluate(WIDE)
                await page.keyboard.press("Enter")
                await expect(page.locator(".timeline")).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(page.locator("dialog")).to_have_count(0)


async def test_actions_and_rechecks_that_are_due_stand_on_the_line(viewer: Viewer, tmp_path: Path) -> None:
    async with incidents(viewer, tmp_path) as floor:
        await publish(floor.bus, flag())
        await expect(floor.row(1)).to_be_visible()
        for due in ("2020-01-01", "2999-01-01"):
            action = {"by": "Li Wei", "text": "ask the carrier", "owner": "Li Wei", "due_on": due}
            answer = await floor.alerts.client.post("/api/v1/incidents/1/actions", json=action)
            assert answer.status_code == 201, answer.text
        await expect(floor.row(1)).to_contain_text("2 actions open, 1 overdue")
