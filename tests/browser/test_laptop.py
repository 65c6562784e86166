"""What a window of 1366x768 must neither hide nor cut: flags beside a drawer, times, columns, the help."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Viewer
from tests.browser.drawerfloors import Answers, talking
from tests.browser.floors import agent, ago, call, changed, flag, queue, transfer

pytestmark = pytest.mark.asyncio(loop_scope="package")

# The texts of what is wider than its place, within a selector.
CUT = """(selector) => [...document.querySelectorAll(selector)]
  .filter((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return node.checkVisibility() && range.getBoundingClientRect().width > node.getBoundingClientRect().width + 0.1;
  }).map((node) => node.textContent)"""


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


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(("seconds", "said"), [(99.9 * 3600, "99:54:"), (101 * 3600, ("4 d 5 h", "4天5时"))])
async def test_a_long_time_is_never_cut(
    viewer: Viewer, language: str, seconds: float, said: str | tuple[str, str]
) -> None:
    long = ago(seconds)
    held = changed(talking().calls[0], legs=(changed(talking().calls[0].legs[0], state="held", since=long),))
    floor = changed(
        talking(),
        agents=(
            agent("1001", "Ana Silva", "hold", since=long, call=call(since=long)),
            agent("1002", "Bo Lind", "offline", since=long),
        ),
        calls=(held,),
        flags=(flag("f1", started=long),),
        queues=(queue("sales", "Sales", waiting=2, longest_since=long),),
    )
    words = said if isinstance(said, str) else said[language == "zh-CN"]
    async with viewer.show(floor, f"/?view=rows&lang={language}") as (_, page):
        times = page.locator(
            '.grid-cell:is([data-column="time"], [data-column="call_time"], [data-column="hold"]) > .truncate'
        )
        await expect(times.first).to_contain_text(words)
        await expect(page.locator(".agents-scroll[data-wide]")).to_have_count(0)  # what is usual fits beside the rail
        assert (
            await cut(
                page, '.grid-cell:is([data-column="time"], [data-column="call_time"], [data-column="hold"]) > .truncate'
            )
            == []
        )
        assert await cut(page, ".figure-value, .flag-age") == []
        await page.get_by_role("button", name="Cards" if language == "en" else "卡片").click()
        await expect(page.locator(".card-time").first).to_contain_text(words)
        assert await cut(page, ".card-time, .card-hold, .card-second") == []
