"""Every view that Floorwatch's pages have, and how somebody gets to it: for the pictures of the documentation and for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from playwright.async_api import Page, expect

PATIENCE_MS = 90_000  # of a machine that is busy with other things
TRIES = 30

CLICK = "node => node.click()"  # on a list that moves while one aims

Service = Literal["monitor", "alerts", "ingest"]


@dataclass(frozen=True)
class Picture:
    """Where the system is, and what on its floor the views are of."""

    urls: dict[Service, str]  # without a slash at the end
    site: str
    agent: str
    queue: str
    rewind_to: str = ""  # an ISO time; "": whatever the page chooses by itself


@dataclass(frozen=True)
class PageView:
    """One view: the page it is on, what shows that it is there, and what one does there."""

    name: str
    path: str
    shown: str  # a selector
    service: Service = "monitor"
    reach: Callable[[Page], Awaitable[None]] | None = None

    async def open(self, page: Page, of: Picture, **query: str) -> None:
        """Bring `page` there; `query` is added to the address (`lang`, `theme`)."""
        path = self.path.format(site=of.site, agent=of.agent, queue=of.queue, at=of.rewind_to)
        for name, value in query.items():
            path += f"{'&' if '?' in path else '?'}{name}={value}"
        await page.goto(of.urls[self.service] + path)
        await expect(page.locator(self.shown).first).to_be_visible(timeout=PATIENCE_MS)
        if self.reach is not None:
            await self.reach(page)


async def _do_one(page: Page) -> None:
    """Say of the first thing that is advised that it is done. One that ends at that moment is not noted: then of the next."""
    noted = page.locator("#actions .done").first
    for _ in range(TRIES):
        offered = page.locator("#actions .action:not([data-over]) .action-done").first
        await expect(offered).to_be_visible(timeout=PATIENCE_MS)
        await offered.evaluate(CLICK)
        with contextlib.suppress(AssertionError):
            await expect(noted).to_be_visible(timeout=PATIENCE_MS / TRIES)
            return
    await expect(noted).to_be_visible()


async def _save_a_case(page: Page) -> None:
    """Open the worst finished transfer and write down why it took so long."""
    await page.locator("#finished .row-item").first.evaluate(CLICK)
    form = page.locator(".case-form")
    await expect(form).to_be_visible(timeout=PATIENCE_MS)
    await form.locator("select").first.select_option("colleague_did_not_answer")
    zh = await page.evaluate("document.documentElement.lang") == "zh-CN"
    note = (
        "转接时对方正在处理案面，建议先看就绪坐席再转。"
        if zh
        else "Colleague was in wrap: look for who is ready first."
    )
    await form.locator("textarea").first.fill(note)
    await page.keyboard.press("Control+s")
    await expect(page.locator(".case-history li").first).to_be_visible(timeout=PATIENCE_MS)


async def _hear(page: Page) -> None:
    """Put the first call that somebody talks in on the deck and hear it; of one that ends at that moment nothing is heard."""
    talking = page.locator(".call-row", has=page.locator(".call-state[data-state=talk]")).first
    await expect(talking).to_be_visible(timeout=PATIENCE_MS)
    await talking.evaluate(CLICK)
    await expect(page.locator(".player")).to_be_visible(timeout=PATIENCE_MS)


async def _past(page: Page) -> None:
    """Wait for the floor of then; the process that looks it up starts when it is first asked."""
    await expect(page.locator("body")).to_have_attribute("data-rewound", "yes", timeout=PATIENCE_MS)


async def _settings(page: Page) -> None:
    await expect(page.locator(".connection")).to_have_attribute("data-tone", "ok", timeout=PATIENCE_MS)
    await page.keyboard.press(",")
    await expect(page.locator("dialog.settings")).to_be_visible()


async def _alarms(page: Page) -> None:
    await _settings(page)
    await page.locator("#settings-tab-alarms").click()


VIEWS = (
    PageView("hall", "/hall", ".tile"),
    PageView("cards", "/?view=cards", ".card"),
    PageView("rows", "/?view=rows", ".grid-row"),
    PageView("agent", "/?view=cards&agent={site}/{agent}", "dialog.side-drawer .partition-table"),
    PageView("queue", "/?view=cards&queue={site}/{queue}", "dialog.side-drawer svg"),
    PageView("actions", "/?view=rows", "#actions .action-done", reach=_do_one),
    PageView("desk", "/transfers", "#finished .row-item", reach=_save_a_case),
    PageView("listen", "/listen?show=all", ".call-row", reach=_hear),
    PageView("rewind", "/?view=cards&at={at}", ".card", reach=_past),
    PageView("settings", "/?view=cards", ".card", reach=_settings),
    PageView("alarms", "/?view=cards", ".card", reach=_alarms),
    PageView("incidents", "/", ".incident", "alerts"),
    PageView("silences", "/silences.html", "main .panel", "alerts"),
    PageView("notifications", "/notifications.html", ".receiver", "alerts"),
    PageView("connections", "/", "main .panel", "ingest"),
    PageView("login", "/login.html", ".login-card"),
)
