"""Reports and notifications in a real browser, on the real service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.browser.alertpages import Lang, alert_pages
from tests.browser.axe import serious
from tests.browser.conftest import Viewer
from tests.sinks import HttpSink, listening

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_a_report_of_the_last_whole_period_is_one_step_away(viewer: Viewer, tmp_path: Path, lang: Lang) -> None:
    async with alert_pages(viewer, tmp_path, lang) as pages:
        say = pages.words
        page = await pages.open("/reports.html")
        period = page.locator(".period-name")
        await expect(page.get_by_label(say("reports.site"), exact=True)).to_contain_text("First floor")
        await page.get_by_role("button", name=say("reports.kind.monthly")).click()
        await expect(page.get_by_role("button", name=say("reports.kind.monthly"))).to_have_attribute(
            "aria-pressed", "true"
        )
        month = await period.inner_text()
        await page.get_by_role("button", name=say("reports.after")).click()
        await expect(page.get_by_text(say("reports.running"))).to_be_visible()
        await expect(page.get_by_role("button", name=say("reports.after"))).to_be_disabled()
        await page.get_by_role("button", name=say("reports.before")).click()
        await expect(period).to_have_text(month)
        await expect(page.locator("#written")).to_contain_text(say("reports.none"))
        async with page.expect_popup() as popup:
            await page.get_by_role("link", name=say("reports.open"), exact=True).click()
        report = await popup.value
        await expect(report.locator("html")).to_have_attribute("lang", lang)
        await expect(report.locator("body")).to_contain_text("First floor")
        await report.close()
        async with page.expect_download() as download:
            await page.get_by_role("link", name=say("reports.format.csv")).click()
        assert (await download.value).suggested_filename.endswith(".zip")
        if lang == "en":
            assert await serious(page) == []
    viewer.complaints.clear()  # the scan tries styles that the pages' policy forbids


async def test_why_there_is_no_report_is_said_on_the_page(viewer: Viewer, tmp_path: Path) -> None:
    async with alert_pages(viewer, tmp_path) as pages:
        page = await pages.open("/reports.html")
        await page.route(
            "**/reports/periodic/**",
            lambda route: route.fulfill(
                status=501, json={"title": "No PDF here", "detail": "install the Debian package libpango-1.0-0"}
            ),
        )
        await page.get_by_role("link", name="PDF").click()
        await expect(page.get_by_role("status")).to_contain_text("install the Debian package libpango-1.0-0")
    viewer.complaints.clear()  # the browser's own line about the 501


async def test_a_receiver_is_tried_and_its_answer_shown(viewer: Viewer, tmp_path: Path) -> None:
    sink = HttpSink()
    async with listening(sink), alert_pages(viewer, tmp_path, "zh-CN", notify_urls=(sink.url,)) as pages:
        say = pages.words
        page = await pages.open("/notifications.html")
        asked = asyncio.Event()

        async def late(route: Route) -> None:
            await asked.wait()
            await route.continue_()

        await page.route("**/notifications?*receiver=*", late)
        await page.reload()
        receiver = page.locator(".receiver")
        await expect(receiver).to_contain_text(say("receivers.state.unknown"))
        await receiver.locator("[data-action=test]").click()
        async with page.expect_response("**/notifications?*receiver=*"):  # what is known of it comes while it is asked
            asked.set()
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        await receiver.locator("[data-action=test-now]").click()
        await expect(receiver.locator(".attempts li[data-ok=yes]")).to_have_count(1)
        await expect(receiver).to_contain_text(say("receivers.state.ok"))
        await expect(page.locator(".messages")).to_contain_text(say("messages.kind.test"))
        assert len(sink.received) == 1
        await page.get_by_label(say("explain.site"), exact=True).fill("s1")
        await page.get_by_label(say("explain.rule"), exact=True).fill("nobody_ready")
        await page.keyboard.press("Enter")
        await expect(page.locator(".course-steps").first).to_contain_text(say("told.opened"))
        assert await serious(page) == []
    viewer.complaints.clear()  # the scan tries styles that the pages' policy forbids
