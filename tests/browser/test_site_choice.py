"""Which site of several is chosen: what keeps it, what goes with it, and what is said while it cannot be shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from services.monitor.core.views import FloorView
from shared import events
from tests.browser.conftest import Viewer, until_true
from tests.browser.floors import agent, queue, site
from tests.browser.test_site_feed import called_from_berlin, two_sites
from tests.browser.test_wallboard_live import card

pytestmark = pytest.mark.asyncio(loop_scope="package")

NOTICES = """() => {
  window.said = [];
  const look = () => {
    for (const { textContent } of document.querySelectorAll(".drawer-notice:not([hidden])")) window.said.push(textContent);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
FLAG_AND_AWAY = """() => {
  window.last.onclick();
  const choice = document.querySelector("select.site-choice");
  choice.value = "hq";
  choice.dispatchEvent(new Event("change"));
}"""


async def test_a_remembered_site_stands_in_the_address_and_outlives_a_reload(viewer: Viewer, tmp_path: Path) -> None:
    async with two_sites(tmp_path) as floor:
        page = await viewer.open(f"{floor.url}/")
        choice = page.locator("select.site-choice")
        await expect(page.locator(".team-name")).to_have_text(["ber · Blue · 1", "hq · Blue · 2"])
        await choice.select_option("ber")
        await expect(page.locator(".team-name")).to_have_text(["Blue · 1"])  # of which site is said above
        await page.goto(f"{floor.url}/")
        await expect(page.locator(".card")).to_have_count(1)
        await expect(page).to_have_url(re.compile("site=ber"))
        await page.reload()
        await expect(card(page, "Cleo Bauer")).to_be_visible()
        await expect(choice).to_have_value("ber")
        await page.close()


async def test_filters_of_another_site_go_with_it_and_an_empty_site_is_no_welcome(
    viewer: Viewer, tmp_path: Path
) -> None:
    async with two_sites(tmp_path) as floor:
        await floor.say(0, events.LinkUp(connector="test"), site="new")
        page = await viewer.open(f"{floor.url}/?view=cards&site=hq&of_queue=hq/sales&team=hq/Blue&states=ready,break")
        choice = page.locator("select.site-choice")
        await expect(choice.locator("option")).to_have_count(4)
        await choice.select_option("ber")
        await expect(card(page, "Cleo Bauer")).to_be_visible()
        await expect(page).to_have_url(f"{floor.url}/?view=cards&site=ber&states=ready,break")
        await choice.select_option("new")
        await expect(page.locator("#agents h2")).to_have_text("0 agents")
        await expect(page.locator("#welcome")).to_be_hidden()
        await page.close()


async def test_whoever_chooses_a_site_after_a_flag_stays_there(viewer: Viewer, tmp_path: Path) -> None:
    async with two_sites(tmp_path) as floor:
        page = await called_from_berlin(viewer, floor)
        await page.evaluate(FLAG_AND_AWAY)
        await page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        await expect(page.locator("select.site-choice")).to_have_value("hq")
        await expect(page).to_have_url(re.compile("site=hq"))
        await page.close()


async def test_a_drawer_of_a_site_that_is_on_its_way_does_not_deny_its_agent(viewer: Viewer, tmp_path: Path) -> None:
    async with two_sites(tmp_path) as floor:
        page = await viewer.open(f"{floor.url}/?view=cards&site=hq&agent=ber/0")
        await expect(page.get_by_role("dialog")).to_contain_text("Cleo Bauer")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.locator(".card")).to_have_count(2)
        await until_true(
            page,
            """async () => { const { place } = await import("/static/shared/place.js"); return !place.get("agent"); }""",
        )
        await page.evaluate(NOTICES)
        await page.go_back()
        await expect(page.get_by_role("dialog")).to_contain_text("Cleo Bauer")
        said = await page.evaluate("() => window.said")
        assert [one for one in said if one.startswith("No agent")] == []
        await page.close()


async def test_a_site_that_cannot_be_fetched_is_not_taken_for_the_one_shown(viewer: Viewer) -> None:
    floor = FloorView(
        sites=(site("hq"), site("ber", label="Berlin")),
        queues=(queue("sales", "Sales"),),
        agents=(agent("1", "Ana Silva"),),
        calls=(),
        transfers=(),
        flags=(),
    )
    async with viewer.show(floor, "/?site=hq") as (feed, page):
        await expect(card(page, "Ana Silva")).to_be_visible()
        feed.silent = True
        banner = page.locator("#connection-banner")
        await expect(banner).to_contain_text("Disconnected since")
        await expect(banner).not_to_contain_text("Still")
        await page.locator("select.site-choice").select_option("ber")
        await expect(banner).to_contain_text("Still showing Headquarters")
        viewer.complaints.clear()
