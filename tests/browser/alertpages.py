"""What tests of the alerts service's pages share: a real service on a port of its own, and both languages."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Locator, Page

from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, Alerts, migrated, serving
from tests.browser.conftest import Viewer

Lang = Literal["en", "zh-CN"]
WEB = Path(__file__).parents[2] / "services" / "alerts" / "web"


class Words:
    """What pages say in one language, by key, as their own dictionaries have it."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._known: dict[str, str] = {}
        for path in WEB.rglob("strings.js"):
            body = path.read_text(encoding="utf-8").split("export default", 1)[1].strip().removesuffix(";")
            self._known.update(json.loads(body)[lang])

    def __call__(self, key: str, **values: object) -> str:
        text = self._known[key]
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text


class Pages:
    """A service with its bus, and its pages in somebody's browser."""

    def __init__(self, alerts: Alerts, bus: MemoryBus, url: str, viewer: Viewer, words: Words) -> None:
        self.alerts, self.bus, self.url, self.words = alerts, bus, url, words
        self._viewer = viewer
        self.opened: list[Page] = []

    async def open(self, path: str) -> Page:
        page = await self._viewer.open("about:blank", width=1920, height=1080)
        self.opened.append(page)
        known = {"floorwatch.lang": self.words.lang, "floorwatch.name": "Wu Na"}
        await page.add_init_script(
            f"for (const [key, value] of Object.entries({json.dumps(known)})) localStorage[key] ??= value;"
        )
        await page.goto(self.url + path)
        return page


@contextlib.asynccontextmanager
async def alert_pages(viewer: Viewer, folder: Path, lang: Lang = "en", **settings: Any) -> AsyncIterator[Pages]:
    """`settings` as of `tests.alertskit.settings`. Whoever looks is called Wu Na."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    database = await migrated(f"sqlite:///{folder / 'alerts.db'}")
    async with serving(bus, database, **settings) as (alerts, url):
        pages = Pages(alerts, bus, url, viewer, Words(lang))
        try:
            yield pages
        finally:
            for page in pages.opened:
                await page.close()
    await database.close()


def row(page: Page, number: int) -> Locator:
    """An incident in the list."""
    return page.locator(f".incident[data-id='{number}']")


def detail(page: Page) -> Locator:
    """The incident that is open."""
    return page.locator("dialog.detail")
