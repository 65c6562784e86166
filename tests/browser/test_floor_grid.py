"""The floor's dense view: columns that the reader chooses, orders and sorts by, and that stay as chosen."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from services.monitor.core.views import AgentFiguresView, CallView, FloorView, LegView
from tests.browser.conftest import Viewer
from tests.browser.floors import agent, ago, call, small_floor
from tests.browser.test_wallboard import with_
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


def figures(**values: float | None) -> AgentFiguresView:
    plain = {"handled": 12, "talk_s": 1200.0, "hold_s": 120.0, "wrap_s": 240.0, "missed": 1, "missed_in_row": 0}
    return AgentFiguresView(
        day="2026-11-22",
        since=ago(7200),
        state_s={},
        transfers=2,
        **{"occupancy": 0.81, **plain, **values},  # type: ignore[arg-type]
    )


def busy_floor() -> FloorView:
    held = LegView(leg_id="l1", agent_id="1001", role="agent", state="held", since=ago(35))
    conversation = CallView(
        site="hq",
        call_id="c1",
        direction="inbound",
        state="held",
        since=ago(35),
        started=ago(200),
        queue="sales",
        queued_since=None,
        from_number="",
        transfer_id="",
        legs=(held,),
    )
    return with_(
        small_floor(),
        agents=(
            agent("1001", "Ana Silva", "consult", call=call(since=ago(190)), since=ago(30), today=figures()),
            agent("1002", "Bo Lind", "wrap", until=ago(-55), today=figures(handled=0, talk_s=0.0, occupancy=None)),
            agent("1003", "Cao Wei", "break", team="Red", reason="lunch", queues=("support",), tags=("new_agent",)),
        ),
        calls=(conversation,),
    )


def row(page: Page, name: str) -> Locator:
    return page.locator(".grid-row.agent", has=page.locator("[data-column=name]", has_text=name))


def cell(page: Page, name: str, column: str) -> Locator:
    return row(page, name).locator(f"[data-column={column}]")


async def titles(page: Page) -> list[str]:
    found: list[str] = await page.locator(".grid-titles [role=columnheader]").evaluate_all(
        "cells => cells.map((one) => one.dataset.column)"
    )
    return found


async def until_titles(page: Page, wanted: list[str]) -> None:
    """A choice is drawn with the next frame."""

    async def they_are() -> bool:
        return await titles(page) == wanted

    await until(they_are, f"the titles are {wanted}")


def names(page: Page) -> Locator:
    return page.locator(".grid-row.agent [data-column=name] .truncate")


async def test_a_line_says_what_the_card_says_and_the_day_s_figures(viewer: Viewer) -> None:
    call_columns = "state,time,name,team,queue,direction,caller,call_time,hold,now,wrap_left"
    day_columns = "handled,aht,talk,occupancy,missed,transfers,tags,id"
    async with viewer.show(busy_floor(), f"/?view=rows&columns={call_columns},{day_columns}") as (_, page):
        await expect(cell(page, "Ana Silva", "state")).to_have_text("Consult")
        await expect(cell(page, "Ana Silva", "queue")).to_have_text("Sales")
        await expect(cell(page, "Ana Silva", "caller")).to_have_text("••4821")
        await expect(cell(page, "Ana Silva", "direction")).to_have_attribute("title", "Inbound")
        await expect(cell(page, "Ana Silva", "call_time")).to_have_text(re.compile(r"^3:[1-5]\d$"))
        await expect(cell(page, "Ana Silva", "hold")).to_have_text(re.compile(r"^0:[345]\d$"))
        for column, text in {
            "handled": "12",
            "aht": "2:10",
            "talk": "1:40",
            "occupancy": "81%",
            "transfers": "2",
        }.items():
            await expect(cell(page, "Ana Silva", column)).to_have_text(text)
        await expect(cell(page, "Bo Lind", "handled")).to_have_text("0")
        await expect(cell(page, "Bo Lind", "aht")).to_have_text("–")  # nobody was handled: there is no average
        await expect(cell(page, "Bo Lind", "occupancy")).to_have_text("–")
        await expect(cell(page, "Bo Lind", "wrap_left")).to_have_text(re.compile(r"^0:[1-5]\d$"))
        await expect(cell(page, "Cao Wei", "handled")).to_have_text("–")  # never counted
        await expect(cell(page, "Cao Wei", "now")).to_have_text("Lunch")
        await expect(cell(page, "Cao Wei", "tags")).to_have_text("new_agent")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_titles_stay_in_sight_and_stand_above_their_figures(viewer: Viewer) -> None:
    many = tuple(agent(f"{n:04}", f"Agent {n:04}", today=figures(handled=n)) for n in range(200))
    async with viewer.show(with_(small_floor(), agents=many), "/?view=rows") as (_, page):
        await expect(row(page, "Agent 0000")).to_be_visible()
        await page.locator(".agents-scroll").evaluate("node => { node.scrollTop = 3000; }")
        await expect(row(page, "Agent 0110")).to_be_visible()
        head = page.locator(".grid-titles [data-column=handled]")
        await expect(head).to_be_in_viewport()
        title = await head.bounding_box()
        figure = await cell(page, "Agent 0110", "handled").bounding_box()
        assert title
        assert figure
        assert abs(title["x"] - figure["x"]) < 1
        assert abs(title["width"] - figure["width"]) < 1


async def test_columns_are_chosen_ordered_and_kept(viewer: Viewer) -> None:
    async with viewer.show(busy_floor()) as (feed, page):
        await expect(page.locator(".card")).to_have_count(3)
        await page.get_by_role("button", name="Rows").click()
        await expect(row(page, "Ana Silva")).to_be_visible()
        usual = await titles(page)
        assert usual[:3] == ["state", "time", "name"]
        await page.get_by_role("button", name="Columns").click()
        await page.get_by_label("Team", exact=True).uncheck()
        await page.get_by_label("Occup.", exact=True).check()
        await page.get_by_role("button", name="Name: further left").click()
        wanted = ["state", "name", "time", *[one for one in usual[3:] if one != "team"], "occupancy"]
        await until_titles(page, wanted)
        await expect(cell(page, "Ana Silva", "occupancy")).to_have_text("81%")
        await expect(page).to_have_url(re.compile(r"columns=state,name,time,queue"))
        await page.wait_for_function("() => !JSON.parse(localStorage['floorwatch.prefs']).unsent.length")
        assert feed.preferences["columns"] == wanted

        plain = await viewer.open(feed.url)  # who comes without a link gets what they chose
        await expect(row(plain, "Ana Silva")).to_be_visible()
        await until_titles(plain, wanted)
        await plain.close()


async def test_a_title_is_dragged_before_another(viewer: Viewer) -> None:
    async with viewer.show(busy_floor(), "/?view=rows&columns=state,name,team,handled") as (_, page):
        await expect(row(page, "Ana Silva")).to_be_visible()
        await page.locator("[data-column=handled] .grid-title").drag_to(page.locator(".grid-titles [data-column=name]"))
        await expect(page).to_have_url(re.compile("columns=state,handled,name,team"))
        await until_titles(page, ["state", "handled", "name", "team"])


async def test_a_click_on_a_title_sorts_what_has_no_value_last(viewer: Viewer) -> None:
    async with viewer.show(busy_floor(), "/?view=rows&sort=name") as (_, page):
        await expect(row(page, "Ana Silva")).to_be_visible()
        title = page.locator(".grid-titles [data-column=handled]")
        await title.locator("button").click()
        await expect(title).to_have_attribute("aria-sort", "descending")
        await expect(names(page)).to_have_text(["Ana Silva", "Bo Lind", "Cao Wei"])
        await title.locator("button").click()
        await expect(title).to_have_attribute("aria-sort", "ascending")
        await expect(names(page)).to_have_text(["Bo Lind", "Ana Silva", "Cao Wei"])
        await expect(page.locator("select.select:visible")).to_have_value("handled")
        await page.go_back()
        await expect(title).to_have_attribute("aria-sort", "descending")
        await expect(names(page)).to_have_text(["Ana Silva", "Bo Lind", "Cao Wei"])


async def test_the_grid_tells_a_reader_of_screens_what_it_is(viewer: Viewer) -> None:
    async with viewer.show(busy_floor(), "/?view=rows") as (_, page):
        grid = page.get_by_role("grid", name="Agents")
        await expect(grid).to_have_attribute("aria-rowcount", "6")  # titles, two teams, three agents
        await expect(grid.get_by_role("columnheader", name="Handled")).to_have_count(1)
        await expect(grid.get_by_role("row", name=re.compile("Cao Wei.*Lunch"))).to_have_attribute("aria-rowindex", "6")


# a page that is busy: what comes meanwhile is drawn together, in one frame, and nothing is drawn after it
ONE_FRAME = """{
  const next = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (draw) => setTimeout(() => next(draw), 1000);
}"""


async def test_the_first_frame_tells_how_many_lines_there_are(viewer: Viewer) -> None:
    await viewer.context.add_init_script(ONE_FRAME)
    async with viewer.show(busy_floor(), "/?view=rows") as (feed, page):
        grid = page.get_by_role("grid", name="Agents")
        await expect(row(page, "Cao Wei")).to_have_attribute("aria-rowindex", "6")
        assert await grid.get_attribute("aria-rowcount") == "6"
        await feed.change("agent", "hq/1003", None)  # the only one of the second team
        await expect(row(page, "Cao Wei")).to_have_count(0)
        assert await grid.get_attribute("aria-rowcount") == "4"
