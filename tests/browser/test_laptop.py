"""What a window of 1366x768 must neither hide nor cut: flags beside a drawer, times, columns, the help."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Viewer
from tests.browser.drawerfloors import Answers, talking
from tests.browser.floors import ago, changed, flag, transfer

pytestmark = pytest.mark.asyncio(loop_scope="package")

# The texts of what is wider than its place, within a selector.
CUT = """(selector) => [...document.querySelectorAll(selector)]
  .filter((node) => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent)"""


async def cut(page: Page, selector: str) -> list[str]:
    found: list[str] = await page.evaluate(CUT, selector)
    return found


async def test_a_flag_that_is_raised_is_seen_although_a_drawer_is_open(viewer: Viewer, answers: Answers) -> None:
    floor = changed(talking(), flags=(flag("f1"),), transfers=(transfer("t1", requested=ago(2)),))
    async with viewer.show(floor, "/?agent=hq/1001") as (feed, page):
        strip = page.locator("#rail-strip")
        await expect(page.locator("#flags")).to_be_hidden()
        await expect(strip.locator(".strip-flag")).to_contain_text("Ana Silva has had the customer on hold")
        await expect(strip).to_contain_text("1 flag ·")
        raised = flag("f2", severity="critical", subject_id="1003", labels={"agent": "1003"}, raised=feed.now())
        await feed.change("flag", "hq/f2", changed(raised, summary_en="Cao Wei is away", summary_zh="Cao Wei 不在"))
        await expect(strip.locator(".strip-flag")).to_contain_text("Cao Wei is away")
        await expect(strip).to_contain_text("2 flags · ")
        await expect(strip).to_contain_text("1 transfer")
        await strip.locator(".strip-flag").click()
        await expect(page.locator(".card", has_text="Cao Wei")).to_be_focused()
        await expect(page.locator("dialog.side-drawer")).to_be_visible()
        await strip.get_by_role("button", expanded=False).click()
        await expect(page.locator("#flags .flag")).to_have_count(2)
        await page.reload()  # whoever wants the lists wants them the next time
        await expect(page.locator("#flags .flag").first).to_be_visible()
        await strip.get_by_role("button", expanded=True).click()
        await expect(page.locator("#flags")).to_be_hidden()
        await page.set_viewport_size({"width": 1920, "height": 1080})  # room for all three
        await expect(page.locator("#flags .flag").first).to_be_visible()
        await expect(strip).to_be_hidden()


async def test_without_a_flag_it_says_so(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking(), "/?agent=hq/1001") as (_, page):
        strip = page.locator("#rail-strip")
        await expect(strip).to_contain_text("Nothing is flagged.")
        await expect(strip.locator(".strip-flag")).to_be_hidden()
        await page.keyboard.press("Escape")
        await expect(strip).to_be_hidden()
        await expect(page.locator("#flags")).to_be_visible()
