"""The transfer desk on the real desk and its database: what runs, what finished, and the case of each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import Viewer
from tests.browser.deskpages import FINISHED, FLOOR, choose, desk_page, ended, rows
from tests.browser.floors import ago, changed, site, transfer
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_what_runs_ticks_over_the_limit_first(viewer: Viewer, tmp_path: Path) -> None:
    running = (
        transfer("new", from_agent="3", to_agent="4", requested=ago(-300)),  # however slow this machine is
        transfer("old", from_agent="1", to_agent="2", requested=ago(6.2), ringing=ago(5)),
    )
    async with desk_page(viewer, tmp_path, changed(FLOOR, transfers=running)) as (_, page):
        first, second = page.locator("#running .row-item").nth(0), page.locator("#running .row-item").nth(1)
        await expect(first).to_contain_text("Wang Fang → Li Na")
        await expect(first).to_contain_text("Attended · ringing")
        await expect(second).to_contain_text("Chen Jing → Zhao Min")
        await expect(first).to_have_attribute("data-verdict", "yes")
        await expect(first.locator(".row-mark")).to_have_text("over 7 s")
        await expect(second).to_have_attribute("data-verdict", "no")
        await expect(page.locator("#running h2")).to_have_text("2 running, 1 over 7 s")


RIGHT_END = """node => {
  const bar = node.querySelector(".row-bar").getBoundingClientRect();
  const ends = [...node.querySelectorAll(".row-leg, .row-untold:not([hidden])")].map((leg) => leg.getBoundingClientRect().right);
  return (Math.max(...ends) - bar.left) / bar.width;
}"""


async def test_bars_tell_seven_seconds_from_twenty_from_ninety_running_or_not(viewer: Viewer, tmp_path: Path) -> None:
    running = (
        transfer("two", from_agent="1", to_agent="2", requested=ago(2), ringing=ago(1)),
        transfer(
            "long", kind="blind", from_agent="3", to_agent="4", requested=ago(88), ringing=ago(87), released=ago(87.8)
        ),
    )
    lasted = {"short": 3.0, "limit": 7.0, "twenty": 20.0, "ninety": 90.0, "endless": 900.0}
    finished = [ended(name, 1000 + took, took) for name, took in lasted.items()]
    async with desk_page(viewer, tmp_path, changed(FLOOR, transfers=running), "/transfers", *finished) as (desk, page):
        await expect(rows(page)).to_have_count(5)
        desk.stop_the_switch()
        found = {name: await page.locator(f"[id='row-hq/{name}']").evaluate(RIGHT_END) for name in lasted}
        assert found["short"] == pytest.approx(0.5 * 3 / 7, abs=0.01), "to scale up to the limit"
        assert found["limit"] == pytest.approx(0.5, abs=0.01)
        assert found["twenty"] > found["limit"] + 0.1
        assert found["ninety"] > found["twenty"] + 0.15
        assert found["endless"] == pytest.approx(1.0, abs=0.01)
        # one that let go of the customer at once still runs: its phone rings, on the same scale
        row = page.locator("[id='row-hq/long']")
        assert await row.evaluate(RIGHT_END) > found["ninety"] - 0.02
        ring = await row.locator("[data-leg=ring]").bounding_box()
        seek = await row.locator("[data-leg=seek]").bounding_box()
        assert ring is not None
        assert seek is not None
        assert ring["width"] > seek["width"] > 0
        scale = page.locator("#running .rows-scale")
        assert (await scale.inner_text()).split() == ["0", "7", "s", "20", "60", "300"]


async def test_what_runs_is_not_ticked_off(viewer: Viewer, tmp_path: Path) -> None:
    running = transfer("t1", from_agent="1", to_agent="2", requested=ago(-3600))
    async with desk_page(
        viewer, tmp_path, changed(FLOOR, transfers=(running,)), "/transfers?transfer=hq/t1", ended("done", 100, 3.0)
    ) as (_, page):
        await expect(page.locator("#running .row-mark")).to_have_text("within 7 s so far")
        await expect(page.locator(".detail-verdict")).to_have_text("within 7 s so far")
        await expect(rows(page).locator(".row-mark")).to_have_text("within 7 s")
        shapes = await page.locator(".row-mark .icon path").evaluate_all(
            "found => found.map((path) => path.getAttribute('d'))"
        )
        assert len(set(shapes)) == 2, "the tick is for what has ended"
    viewer.complaints.clear()  # this desk's server knows nothing of what runs


async def test_what_the_switch_does_not_tell_apart_is_said_and_shown_as_such(viewer: Viewer, tmp_path: Path) -> None:
    """Of a transfer to a queue some switches tell only the request and the answer."""
    untold = ended("untold", 100, 12.0, kind="queue", to_queue="support", ringing_at=None, seek_s=None)
    path = "/transfers?transfer=hq/untold"
    async with desk_page(viewer, tmp_path, FLOOR, path, untold, ended("told", 200, 9.0)) as (_, page):
        row = page.locator("[id='row-hq/untold']")
        await expect(row.locator(".row-untold")).to_be_visible()
        await expect(row.locator(".row-how")).to_have_text("To queue Support · completed")
        assert await row.evaluate(RIGHT_END) > 0.5
        await expect(page.locator(".desk-legs")).to_contain_text("Not told apart by the switch12.0 s")
        await expect(page.locator(".desk-legs")).to_contain_text("Seek–")
        await expect(page.locator(".timeline")).to_have_attribute(
            "aria-label", re.compile("Not told apart by the switch 12.0 s")
        )
        await expect(page.locator("[id='row-hq/told'] .row-untold")).to_be_hidden()
        await choose(page, "told")
        await expect(page.locator(".desk-legs")).not_to_contain_text("Not told apart")


async def test_a_transfer_that_ends_is_there_once_before_and_after_it_was_filed(viewer: Viewer, tmp_path: Path) -> None:
    running = transfer("t1", from_agent="1", to_agent="2", requested=ago(5))
    async with desk_page(viewer, tmp_path, changed(FLOOR, transfers=(running,))) as (desk, page):
        await expect(page.locator("#running .row-item")).to_have_count(1)
        done = changed(running, outcome="completed", bridged=ago(2), ended=ago(2), total_s=3.0)
        await desk.change("transfer", "hq/t1", done)
        await expect(page.locator("#running")).to_contain_text("No transfer is running.")
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("not filed yet")
        await desk.finish(ended("t1", 5, 3.0))
        await expect(rows(page)).not_to_contain_text("not filed yet")
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("3.0 s")


async def order(page: Page) -> list[str]:
    named: list[tuple[int, str]] = await rows(page).evaluate_all(
        "rows => rows.map((row) => [Number(row.getAttribute('aria-posinset')), row.id.slice('row-hq/'.length)])"
    )
    return [name for _, name in sorted(named)]


async def until_order(page: Page, *wanted: str) -> None:
    """The address says at once how the list is to be, which then is asked for."""

    async def it_is() -> bool:
        return await order(page) == list(wanted)

    await until(it_is, f"the list is {wanted}")


async def test_the_worst_are_on_top_and_the_address_holds_order_and_filter(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *FINISHED) as (_, page):
        await expect(rows(page)).to_have_count(5)
        await until_order(page, "slowest", "slow", "failed", "unsure", "quick")
        await page.get_by_role("button", name="Newest first").click()
        await expect(page).to_have_url(re.compile("sort=newest"))
        await until_order(page, "unsure", "failed", "slowest", "slow", "quick")
        await page.locator(".filter-slow").select_option("yes")
        await expect(rows(page)).to_have_count(2)
        await expect(page).to_have_url(re.compile("slow=yes"))
        await page.get_by_role("button", name="Clear the filter").click()
        await expect(rows(page)).to_have_count(5)
        await page.go_back()
        await expect(rows(page)).to_have_count(2)
        await page.get_by_role("button", name="Clear the filter").click()
        await page.locator(".filter-outcome").select_option("failed")
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("Chen Jing → Zhao Min")
        await page.locator(".filter-outcome").select_option("")
        await page.locator(".filter-agent").fill("Chen Jing")
        await page.keyboard.press("Tab")
        await expect(page).to_have_url(re.compile("agent=3"))
        await expect(rows(page)).to_have_count(1)


async def test_a_link_shows_the_same_filter_and_transfer(viewer: Viewer, tmp_path: Path) -> None:
    path = "/transfers?slow=cannot_tell&transfer=hq/unsure"
    async with desk_page(viewer, tmp_path, FLOOR, path, *FINISHED) as (_, page):
        await expect(rows(page)).to_have_count(1)
        detail = page.locator("#detail")
        await expect(detail.locator(".detail-verdict")).to_have_text("cannot tell (±1 s)")
        await expect(detail).to_contain_text("Wang Fang → Li Na")
        await expect(detail.locator(".desk-legs")).to_contain_text("Seek1.0 s")
        await expect(detail.locator(".desk-legs")).to_contain_text("Total7.2 s")
        await expect(detail.locator(".desk-stamps")).to_contain_text("Requested19:58:20.000")
        await expect(detail.locator(".timeline")).to_have_attribute("aria-label", re.compile("Seek 1.0 s, Ring 6.2 s"))
        await expect(detail).to_contain_text("call-unsure")


async def test_days_are_the_site_s(viewer: Viewer, tmp_path: Path) -> None:
    """Noon UTC is 20:00 in Shanghai: its day began 20 hours before."""
    finished = (ended("today", 19.9 * 3600, 3.0), ended("yesterday", 20.1 * 3600, 3.0))
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *finished) as (_, page):
        await expect(rows(page)).to_have_count(2)
        await page.get_by_role("button", name="Today").click()
        await expect(rows(page)).to_have_count(1)
        await until_order(page, "today")
        await page.locator(".filter-day").fill("2026-11-21")
        await expect(page).to_have_url(re.compile("day=2026-11-21"))
        await expect(page.locator("[id='row-hq/yesterday']")).to_be_visible()
        await expect(rows(page)).to_have_count(1)


async def test_days_when_the_clocks_change(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path) as (_, page):
        hours = await page.evaluate(
            """async () => {
              const { dayRange } = await import("/static/monitor/transfers/model.js");
              const hours = (day, zone) => { const [from, to] = dayRange(day, zone); return (to - from) / 3600000; };
              return [["2026-03-29", "Europe/Berlin"], ["2026-10-25", "Europe/Berlin"], ["2026-11-22", "Asia/Shanghai"],
                      ["2026-03-08", "America/New_York"]].map(([day, zone]) => hours(day, zone));
            }"""
        )
        assert hours == [23, 25, 24, 23]


async def test_the_keyboard_goes_through_the_list_into_the_case_and_back(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *FINISHED) as (_, page):
        await expect(rows(page)).to_have_count(5)
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
        await expect(page).to_have_url(re.compile("transfer=hq/slow$"))
        await expect(page.locator("[id='row-hq/slow']")).to_have_attribute("aria-selected", "true")
        await expect(page.locator(".case-form")).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.locator(".case-form").get_by_label("Reason")).to_be_focused()
        await page.keyboard.press("Escape")
        await page.keyboard.press("ArrowUp")
        await expect(page).to_have_url(re.compile("transfer=hq/slowest$"))
        await page.keyboard.press("/")
        await page.keyboard.type("failed")
        await expect(rows(page)).to_have_count(1)


async def test_a_long_list_comes_page_by_page_and_only_what_is_seen_exists(viewer: Viewer, tmp_path: Path) -> None:
    many = [ended(f"t{number:03}", 10_000 - number * 20, 3.0) for number in range(230)]
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers?sort=newest", *many[:200]) as (desk, page):
        await desk.finish(*many[200:])
        await page.reload()
        await expect(page.locator("#finished .panel-head")).to_contain_text("100 shown, more below")
        assert await rows(page).count() < 60
        last = page.locator("[id='row-hq/t000']")

        async def scrolled_to_the_end() -> bool:
            await page.locator(".rows-scroll").evaluate("node => { node.scrollTop = node.scrollHeight; }")
            return await last.is_visible()

        await until(scrolled_to_the_end, "page after page, the last transfer is there", every_s=0.05)
        await expect(page.locator("#finished .panel-head")).to_contain_text("230 shown")
        assert await rows(page).count() < 60


async def test_without_its_database_the_list_says_so_and_the_running_ones_tick(viewer: Viewer, tmp_path: Path) -> None:
    floor = changed(FLOOR, transfers=(transfer("t1", from_agent="1", to_agent="2", requested=ago(6.5)),))
    async with desk_page(viewer, tmp_path, floor, away=True) as (_, page):
        await expect(page.locator(".desk-trouble")).to_contain_text("The database is away")
        await expect(page.locator("#running .row-item")).to_have_attribute("data-verdict", "yes")
        await expect(page.locator("#finished")).not_to_contain_text("No transfer has finished yet")
    viewer.complaints.clear()  # the browser's own lines about the 503


async def test_nothing_finished_is_not_no_data(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path) as (desk, page):
        await expect(page.locator("#finished")).to_contain_text("No transfer has finished yet.")
        await expect(page.locator("#running")).to_contain_text("No transfer is running.")
        await desk.change("site", "hq", site(link="down", link_since=ago(1)))
        await expect(page.locator("#running")).to_contain_text("No live data")


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
async def test_nothing_scrolls_sideways_in_either_language(
    viewer: Viewer, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers?transfer=hq/failed", *FINISHED) as (_, page):
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await expect(page.locator(".case-form")).to_be_visible()
        for language, says in (("简体中文", "失败"), ("English", "failed")):
            await page.get_by_role("button", name=language).click()
            await expect(page.locator("#detail")).to_contain_text(says)
            wide = "[document.documentElement, ...document.querySelectorAll('.panel')].some(n => n.scrollWidth > n.clientWidth)"
            assert not await page.evaluate(wide)


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_a_scan_for_accessibility_finds_nothing_serious(viewer: Viewer, tmp_path: Path, scheme: Any) -> None:
    running = (transfer("r1", from_agent="1", to_agent="2", requested=ago(9), ringing=ago(8)),)
    path = "/transfers?transfer=hq/failed"
    async with desk_page(viewer, tmp_path, changed(FLOOR, transfers=running), path, *FINISHED) as (_, page):
        await page.emulate_media(color_scheme=scheme)
        await expect(page.locator(".case-form")).to_be_visible()
        await expect(rows(page)).to_have_count(5)
        found = (await Axe().run(page)).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []
    viewer.complaints.clear()  # the scan itself tries styles that the page's policy forbids
