"""A page in which the modules of next actions run: `ranker`, one for each test module."""

from __future__ import annotations

from typing import Any

import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.feedserver import serving
from tests.browser.floors import small_floor


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def ranker(browser: Browser) -> Any:
    """A page to run the modules in."""
    async with serving(small_floor()) as feed:
        context = await browser.new_context(locale="en-GB")
        page = await context.new_page()
        await page.goto(feed.url)
        yield page
        await context.close()
