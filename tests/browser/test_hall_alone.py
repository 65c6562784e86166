"""The hall's screen hangs there for weeks, and nobody comes to help it."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Viewer
from tests.browser.floors import small_floor

pytestmark = pytest.mark.asyncio(loop_scope="package")

HD = {"width": 1920, "height": 1080}


async def test_a_new_version_of_the_server_is_taken_up_once(viewer: Viewer) -> None:
    version = "1"
    await viewer.context.route("**/healthz", lambda route: route.fulfill(json={"version": version}))
    async with viewer.show(small_floor(), "/hall", **HD) as (feed, page):
        await expect(page.locator(".tile")).to_have_count(2)
        await page.evaluate("() => { window.before = true; }")
        await feed.cut()
        await expect(page.locator(".hall-notice")).to_have_count(0)
        assert await page.evaluate("() => window.before") is True  # the same version: nothing happens
        version = "2"
        feed.silent = True
        await expect(page.locator(".hall-notice")).to_have_count(1)
        async with page.expect_navigation():
            feed.silent = False
        await expect(page.locator(".tile")).to_have_count(2)
        assert await page.evaluate("() => window.before") is None


async def test_a_refused_screen_asks_again_on_its_own(viewer: Viewer) -> None:
    async with viewer.show(small_floor(), "/hall", **HD) as (feed, page):
        await expect(page.locator(".tile")).to_have_count(2)
        await page.clock.install()
        feed.refuse = (4403, "not for you")
        await page.reload()
        await expect(page.locator(".hall-notice")).to_contain_text("refuses this screen: not for you")
        await expect(page.locator(".hall-notice")).to_contain_text(re.compile("next try in [23]\\d s"))
        feed.refuse = None
        await page.clock.fast_forward(30_000)
        await expect(page.locator(".tile")).to_have_count(2)
        await expect(page.locator(".hall-notice")).to_have_count(0)


async def test_it_keeps_the_screen_awake_and_moves_what_is_bright(viewer: Viewer) -> None:
    locks = "window.locks = []; navigator.wakeLock.request = async (kind) => { window.locks.push(kind); };"
    await viewer.context.add_init_script(locks)
    async with viewer.show(small_floor(), "/hall", **HD) as (_, page):
        await page.clock.install()
        await page.reload()
        await expect(page.locator(".tile")).to_have_count(2)
        await page.wait_for_function("() => window.locks.length")
        assert await page.evaluate("() => window.locks") == ["screen"]
        before = await page.locator("#stage").get_attribute("style")
        await page.clock.fast_forward(100_000)
        await expect(page.locator("#stage")).not_to_have_attribute("style", before or "")
