"""The inspectors' page on a scripted floor, and how tests look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Locator, Page

from services.monitor.core.views import FloorView
from tests.browser.conftest import Viewer
from tests.browser.listenserver import ListenServer, serving_listens
from tests.waiting import until


@asynccontextmanager
async def console(
    viewer: Viewer, floor: FloorView | None = None, path: str = "/listen", **more: Any
) -> AsyncIterator[tuple[ListenServer, Page]]:
    """The page on a scripted floor; `more`: attributes of its server."""
    async with serving_listens(floor) as server:
        for name, value in more.items():
            setattr(server, name, value)
        page = await viewer.open(server.url + path)
        try:
            yield server, page
        finally:
            await page.goto("about:blank")
            await page.close()


def row(page: Page, name: str) -> Locator:
    return page.locator(".call-row", has=page.locator(".call-who", has_text=name))


def show(page: Page, name: str) -> Locator:
    return page.locator(f"[data-show={name}]")


async def order(page: Page) -> list[str]:
    """Names in the order in which they are shown."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll(".call-row")]
          .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
          .map((row) => row.querySelector(".call-who").textContent)"""
    )
    return found


async def until_order(page: Page, *names: str) -> None:
    """Wait until the list begins with these."""

    async def they_do() -> bool:
        return (await order(page))[: len(names)] == list(names)

    await until(they_do, f"the list begins with {names}")


def asked(server: ListenServer, method: str) -> list[Any]:
    return [(path, body) for verb, path, body in server.asked_for if verb == method]
