"""The transfer desk's page on a floor of four people: what runs, what finished, and how to open a case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, expect

from services.monitor.core.views import FloorView
from shared import facts
from tests.browser.conftest import Viewer
from tests.browser.deskserver import DeskServer, serving_desk
from tests.browser.floors import agent, ago, queue, site
from tests.deskkit import transfer_ended

PEOPLE = ("Wang Fang", "Li Na", "Chen Jing", "Zhao Min")
FLOOR = FloorView(
    sites=(site(),),
    queues=(queue("sales", "Sales"), queue("support", "Support")),
    agents=tuple(agent(str(number), name, "talk") for number, name in enumerate(PEOPLE, 1)),
    calls=(),
    transfers=(),
    flags=(),
)


def ended(name: str, seconds_ago: float, took: float, **more: Any) -> facts.TransferEnded:
    """A transfer from Wang Fang to Li Na that was asked for so long before noon."""
    asked = ago(seconds_ago)
    bridged = asked + timedelta(seconds=took) if more.get("outcome", "completed") == "completed" else None
    stamps = {
        "requested_at": asked,
        "ringing_at": asked + timedelta(seconds=1),
        "answered_at": bridged,
        "bridged_at": bridged,
        "ended_at": asked + timedelta(seconds=took),
    }
    return transfer_ended(name, 0, took, **(stamps | more))


FINISHED = (
    ended("quick", 500, 3.0),
    ended("slow", 400, 9.5),
    ended("slowest", 300, 12.0),
    ended("failed", 200, 5.0, outcome="failed", reason="no_answer", from_agent="3", to_agent="4"),
    ended("unsure", 100, 7.2, slow="cannot_tell", precision_ms=1000),
)


@asynccontextmanager
async def desk_page(
    viewer: Viewer,
    folder: Path,
    floor: FloorView = FLOOR,
    path: str = "/transfers",
    *finished: facts.TransferEnded,
    **more: Any,
) -> AsyncIterator[tuple[DeskServer, Page]]:
    async with serving_desk(floor, folder, **more) as desk:
        if finished:
            await desk.finish(*finished)
        page = await viewer.open(desk.url + path)
        try:
            yield desk, page
        finally:
            await page.goto("about:blank")
            await page.close()


def rows(page: Page) -> Locator:
    return page.locator("#finished .row-item")


async def choose(page: Page, name: str) -> None:
    """Open a finished transfer's detail, and wait until its case can be written."""
    await page.locator(f"#finished [id='row-hq/{name}']").click()
    await expect(page.locator(".case-form")).to_be_visible()
