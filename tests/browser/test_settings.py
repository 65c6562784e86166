"""What a reader sets for themselves: limits, how they are called, how it looks."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Viewer
from tests.browser.floors import ago, changed, queue, small_floor
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def open_settings(page: Page, name: str) -> Locator:
    """The dialog at page `name`; the wallboard is there first."""
    await expect(page.locator(".connection")).to_have_attribute("data-tone", "ok")
    await page.keyboard.press(",")
    dialog = page.locator("dialog.settings")
    await dialog.locator(f"#settings-tab-{name}").click()
    return dialog


def limit(dialog: Locator, label: str, severity: str) -> Locator:
    return dialog.get_by_label(re.compile(f"^{label}: {severity}"))


async def test_a_limit_of_one_s_own_counts_at_once_and_is_kept(viewer: Viewer) -> None:
    floor = changed(small_floor(), queues=(queue("sales", "Sales", waiting=1, longest_since=ago(100)),))
    async with viewer.show(floor) as (_, page):
        longest = page.locator(".queue .figure-longest")
        await expect(longest).to_have_attribute("data-tone", "critical")
        dialog = await open_settings(page, "limits")
        await expect(limit(dialog, "Longest wait above", "Warning")).to_have_attribute("placeholder", "20")
        await limit(dialog, "Longest wait above", "Warning").fill("600")
        await limit(dialog, "Longest wait above", "Critical").fill("900")
        await page.keyboard.press("Tab")
        await expect(longest).not_to_have_attribute("data-tone", re.compile("."))
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        async with page.expect_response("**/api/v1/preferences"):
            await page.reload()
        await expect(page.locator(".queue .figure-longest .figure-value")).to_have_text(re.compile(r"^\d:\d\d$"))
        await expect(longest).not_to_have_attribute("data-tone", re.compile("."))
        dialog = await open_settings(page, "limits")
        await expect(limit(dialog, "Longest wait above", "Warning")).to_have_value("600")
        await dialog.get_by_role("button", name="Back to the usual limits").click()
        await expect(limit(dialog, "Longest wait above", "Warning")).to_have_value("")
        await expect(longest).to_have_attribute("data-tone", "critical")


async def test_one_queue_s_limit_leaves_the_others_alone(viewer: Viewer) -> None:
    waits = {"waiting": 7, "longest_since": ago(5)}
    floor = changed(small_floor(), queues=(queue("sales", "Sales", **waits), queue("support", "Support", **waits)))
    async with viewer.show(floor, "/hall", width=1920, height=1080) as (feed, hall):
        await expect(hall.locator(".gauge-waiting .gauge-gap")).to_have_text(["+2 over", "+2 over"])
        page = await viewer.open(feed.url)
        dialog = await open_settings(page, "limits")
        await dialog.get_by_label("Limits of which queue").select_option("Support")
        await limit(dialog, "Waiting, more than", "Warning").fill("9")
        await page.keyboard.press("Tab")
        await expect(hall.locator(".gauge-waiting .gauge-gap")).to_have_text(["+2 over", "2 to the limit"])
        await dialog.get_by_label("Limits of which queue").select_option("All queues")
        await expect(limit(dialog, "Waiting, more than", "Warning")).to_have_value("")
        await page.close()


async def test_limits_that_cannot_be_are_said_and_not_taken(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        dialog = await open_settings(page, "limits")
        warn, crit = limit(dialog, "Wrap", "Warning"), limit(dialog, "Wrap", "Critical")
        await crit.fill("30")  # under the usual warning of 45
        await page.keyboard.press("Tab")
        await expect(dialog.get_by_role("alert")).to_have_text("Critical must be above the warning.")
        await expect(crit).to_have_attribute("aria-invalid", "true")
        await limit(dialog, "Service level below", "Warning").fill("70")
        await limit(dialog, "Service level below", "Critical").fill("80")
        await page.keyboard.press("Tab")
        await expect(dialog.get_by_role("alert").first).to_have_text("Critical must be below the warning.")
        await warn.fill("20")
        await page.keyboard.press("Tab")
        await expect(dialog.get_by_role("alert").nth(1)).to_be_hidden()
        # each is kept by itself, the one of the service level first
        taken = {
            "agents": {"wrap": {"warn": 20, "crit": 30}},
            "queues": {"*": {"service_level": {"warn": 0.7, "crit": 0.65}}},
        }
        await until(lambda: feed.preferences.get("thresholds") == taken, f"{taken} is kept")


async def test_it_opens_and_closes_by_keyboard_and_moves_from_page_to_page(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (_, page):
        await expect(page.locator(".card").first).to_be_visible()
        button = page.get_by_role("button", name="Settings")
        await button.focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Settings")
        await dialog.get_by_role("tab", name="Limits").focus()
        await page.keyboard.press("ArrowDown")
        await expect(dialog.get_by_role("tab", name="Alarms")).to_be_focused()
        await expect(dialog.get_by_role("tabpanel", name="Alarms")).to_contain_text("Desktop notifications")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(button).to_be_focused()
        await page.keyboard.press("/")
        await page.keyboard.type(",")  # a comma in the search is a comma
        await expect(dialog).to_be_hidden()


async def test_theme_and_language_change_at_once_also_in_the_dialog(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (_, page):
        dialog = await open_settings(page, "looks")
        await dialog.get_by_role("button", name="Dark").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await dialog.get_by_role("button", name="简体中文").click()
        await expect(dialog.locator("h2")).to_have_text("设置")
        await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        for name in ("limits", "alarms"):
            await dialog.locator(f"#settings-tab-{name}").click()
            await expect(dialog.locator(".settings-lead")).to_have_text(re.compile("[一-龥]"))
            words = set(re.findall(r"[A-Za-z]{3,}", await dialog.locator(".settings-body").inner_text()))
            assert words <= {"Sales", "Support", "slow", "transfer", "long", "hold", "HTTPS"}  # names only


async def test_columns_are_chosen_beside_their_list(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (_, page):
        dialog = await open_settings(page, "looks")
        await dialog.get_by_role("button", name="Choose columns").click()
        await expect(dialog).to_be_hidden()
        await expect(page.locator("#columns")).to_be_visible()


async def test_a_screen_reader_finds_nothing_wrong_with_any_page_of_it(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (_, page):
        for name in ("limits", "alarms", "looks"):
            dialog = await open_settings(page, name)
            await expect(dialog.locator(f"#settings-tab-{name}")).to_have_attribute("aria-selected", "true")
            assert (await Axe().run(page, context="dialog.settings")).response["violations"] == []
            await page.keyboard.press("Escape")
    viewer.complaints.clear()  # the scan itself tries styles that the page's policy forbids


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
async def test_the_dialog_fits_the_window(viewer: Viewer, size: tuple[int, int]) -> None:
    async with viewer.show(small_floor(), width=size[0], height=size[1]) as (_, page):
        for name in ("limits", "alarms", "looks"):
            dialog = await open_settings(page, name)
            box = await dialog.bounding_box()
            assert box is not None
            assert min(box["x"], box["y"]) >= 0
            assert (box["x"] + box["width"], box["y"] + box["height"]) <= size
            assert await dialog.locator(".settings-body").evaluate("(node) => node.scrollWidth <= node.clientWidth")
            await page.keyboard.press("Escape")
