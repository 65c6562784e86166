"""A real Chromium, the system's own. Without one the browser tests are skipped and say so.

Where there is `chromium-headless-shell`, Chromium without its windows, tabs and menus, it is taken: the same code draws and runs
the pages, and the tests take a quarter to a third less time. TEST_CHROMIUM names another one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from services.monitor.core.views import FloorView
from tests.browser.drawerfloors import Answers
from tests.browser.feedserver import FeedServer, serving
from tests.waiting import until

HERE = Path(__file__).parent
PATIENCE_MS = (
    60_000  # until a test fails: what is there sooner does not wait, and a machine may have other things to do
)
expect.set_options(timeout=PATIENCE_MS)
# what the browser says to a page that gave up connecting after 2.5 s, and tries again: on a busy machine none of its faults
IMPATIENT = "WebSocket is closed before the connection is established"
WITH_WINDOWS = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium-headless-shell") or WITH_WINDOWS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(
                    pytest.mark.skip(
                        reason="no Chromium on this machine (chromium-headless-shell, chromium or google-chrome)"
                    )
                )


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser
        await browser.close()


class Viewer:
    """A browser window of a test. What its pages complained about is in `complaints`."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []

    @contextlib.asynccontextmanager
    async def show(self, floor: FloorView, path: str = "/", **window: int) -> AsyncIterator[tuple[FeedServer, Page]]:
        """The wallboard on a scripted floor; the page is closed before its server ends."""
        async with serving(floor) as feed:
            page = await self.open(feed.url + path, **window)
            try:
                yield feed, page
            finally:
                await page.close()

    @contextlib.asynccontextmanager
    async def beside(self, url: str, **window: int) -> AsyncIterator[Page]:
        """A page in a window of its own: of the pages of one window only the last is drawn at once, the others once a second."""
        browser = self.context.browser
        assert browser is not None
        context = await browser.new_context(locale="en-GB")
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield await self.open(url, context=context, **window)
        finally:
            await context.close()

    async def open(
        self, url: str, *, width: int = 1366, height: int = 768, context: BrowserContext | None = None
    ) -> Page:
        """A page at `url`, in a laptop's window unless said otherwise."""
        page = await (context or self.context).new_page()
        await page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on(
            "console",
            lambda said: (
                self.complaints.append(f"console {said.type}: {said.text}")
                if said.type in ("error", "warning") and IMPATIENT not in said.text
                else None
            ),
        )
        await page.goto(url)
        return page


async def until_true(page: Page, script: str) -> None:
    """Wait until the asynchronous `script` gives something true there; `wait_for_function` would take its promise for that."""
    await until(lambda: page.evaluate(script), script)


@pytest_asyncio.fixture(loop_scope="package")
async def viewer(browser: Browser) -> AsyncIterator[Viewer]:
    """A fresh window that speaks English; a test fails when a page it opened logged an error or a warning.

    A test that causes errors on purpose empties `complaints` itself.
    """
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    viewer = Viewer(context)
    yield viewer
    await context.close()
    assert viewer.complaints == []


@pytest_asyncio.fixture(loop_scope="package")
async def answers(viewer: Viewer) -> AsyncIterator[Answers]:
    """What the server says besides the feed, to whatever `viewer` opens."""
    answers = Answers()
    await viewer.context.route(re.compile(r"/api/v1/(queues|agents|transfers|numbers|rewind|me)\b"), answers.answer)
    yield answers
    await viewer.context.unroute_all(behavior="ignoreErrors")
