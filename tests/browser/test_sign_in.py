"""Signing in and out in a real browser: at the monitor with users set up, and at the incidents page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from shared.events import AgentLoggedOn, LinkUp
from shared.memorybus import MemoryBus
from tests import alertskit
from tests.authkit import USERS, bearer, settings, token, users_file
from tests.browser.conftest import Viewer
from tests.contract.test_monitor import Running, running
from tests.flagkit import flag
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[tuple[Running, str]]:
    """A monitor that knows users, with an agent of each of two teams; and its address."""
    async with running(MemoryBus(), **settings(folder)) as floor:
        await floor.happens(
            0,
            LinkUp(connector="test"),
            AgentLoggedOn(agent_id="1", name="Anna", team="Blue"),
            AgentLoggedOn(agent_id="2", name="Boris", team="Red"),
        )
        yield floor, f"http://127.0.0.1:{floor.port}"


_EXPECTED = re.compile(r"status of (401|503)|^error: Not signed in")  # 503: this monitor has no database


def forgive(viewer: Viewer) -> None:
    """The browser itself tells of every answer that is an error; other complaints count. Once the pages are closed."""
    viewer.complaints[:] = [one for one in viewer.complaints if not _EXPECTED.search(one)]


async def lead_to_sign_in(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_text("floorwatch login-link")).to_be_visible()


async def test_a_link_signs_in_leaves_the_address_and_shows_what_its_user_sees(viewer: Viewer, tmp_path: Path) -> None:
    async with guarded(tmp_path) as (_, url):
        page = await viewer.open(f"{url}/?q=a")
        await lead_to_sign_in(page)  # and from there back to where one wanted to go
        await expect(page).to_have_url(re.compile("next="))
        said = token("blue")
        await page.goto(f"{page.url}#{said}")
        await page.wait_for_url(re.compile(r"/\?.*q=a"))
        await expect(page.get_by_text("Anna", exact=True).first).to_be_visible()
        await expect(page.get_by_text("Boris", exact=True)).to_have_count(0)
        assert said not in page.url
        assert await page.evaluate("document.cookie") == ""  # scripts cannot read it
        who = page.locator(".topbar-who")
        await expect(who).to_have_text("blue")
        await who.click()
        await expect(page.get_by_text("Sees: team Blue")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await lead_to_sign_in(page)
        await page.goto(url)
        await lead_to_sign_in(page)
        await page.close()
        forgive(viewer)


async def test_signing_out_ends_other_tabs_and_signing_in_lets_who_waits_go_on(viewer: Viewer, tmp_path: Path) -> None:
    async with guarded(tmp_path) as (_, url):
        waiting = await viewer.open(f"{url}/hall")
        await expect(waiting.get_by_role("heading", name="This screen is not signed in")).to_be_visible()
        page = await viewer.open(f"{url}/login.html#{token('blue')}")
        await expect(page.locator(".topbar-who")).to_have_attribute("title", re.compile("Sees team Blue"))
        await waiting.wait_for_url(f"{url}/hall")  # nobody touched it
        other = await viewer.open(f"{url}/login.html")
        await other.get_by_role("button", name="Sign out").click()
        await lead_to_sign_in(page)
        await expect(waiting.get_by_role("heading", name="This screen is not signed in")).to_be_visible()
        for one in (waiting, page, other):
            await one.close()
        forgive(viewer)


async def test_whoever_may_not_look_back_is_told_that_a_link_to_then_shows_now(viewer: Viewer, tmp_path: Path) -> None:
    async with guarded(tmp_path) as (_, url):
        page = await viewer.open(f"{url}/login.html#{token('viewer')}")
        await expect(page.get_by_text("Boris", exact=True).first).to_be_visible()
        await page.goto(f"{url}/?at=2026-11-22T09:00:00Z")
        await expect(page.locator(".rewind-said")).to_have_text(
            "Your roles do not include looking back: this is the floor of now."
        )
        await page.get_by_role("button", name="Back to now").click()
        await expect(page.locator("#rewind-bar")).to_be_hidden()
        await expect(page).not_to_have_url(re.compile("at="))
        await page.close()
        forgive(viewer)


async def test_an_empty_board_of_somebody_who_sees_a_part_says_which(viewer: Viewer, tmp_path: Path) -> None:
    async with guarded(tmp_path) as (_, url):
        page = await viewer.open(f"{url}/login.html#{token('elsewhere')}")
        await expect(page.locator("#welcome")).to_contain_text("Nothing of what you may see has been reported yet")
        await expect(page.locator("#welcome")).to_contain_text("You see site elsewhere")
        await page.goto(f"{url}/hall")
        await expect(page.locator("#nothing")).to_contain_text("The user of this screen sees site elsewhere")
        await page.close()
        forgive(viewer)


async def test_an_agent_without_a_role_is_told_so_and_not_that_something_is_out_of_order(
    viewer: Viewer, tmp_path: Path
) -> None:
    async with guarded(tmp_path) as (_, url):
        users_file(tmp_path, f"{USERS}  anna: {{agent: test/1}}\n")
        async with httpx.AsyncClient(base_url=url) as http:

            async def known() -> bool:
                return (await http.get("/api/v1/me", headers=bearer("anna"))).status_code != 401

            await until(known, "the changed file is read", every_s=0.05)
        page = await viewer.open(f"{url}/login.html#{token('anna')}")
        await expect(page.locator("#connection-banner")).to_contain_text("no role of yours shows the floor")
        await page.close()  # it asks again and again, and is told the same
        viewer.complaints[:] = [one for one in viewer.complaints if "status of 403" not in one]
        forgive(viewer)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"user": "blue", "hours": -1.0}, "This link has ended"),
        ({"user": "nobody"}, "not known here any more"),
        ({"user": "blue", "secret": "another" * 8}, "cannot be used"),
    ],
)
async def test_a_link_that_does_not_do_says_why(
    viewer: Viewer, tmp_path: Path, made: dict[str, Any], words: str
) -> None:
    async with guarded(tmp_path) as (_, url):
        page = await viewer.open(f"{url}/login.html#{token(**made)}")
        await expect(page.get_by_role("alert")).to_contain_text(words)
        await expect(page).not_to_have_url(re.compile("#"))
        await page.get_by_role("button", name="简体中文").click()
        await expect(page.get_by_role("heading", name="登录")).to_be_visible()
        await page.evaluate("(said) => { location.hash = said; }", token("blue"))  # a better link, in the same tab
        await expect(page.get_by_text("Anna", exact=True).first).to_be_visible()
        await page.close()
        forgive(viewer)


async def test_nobody_is_led_anywhere_else_after_signing_in(viewer: Viewer, tmp_path: Path) -> None:
    async with guarded(tmp_path) as (_, url):
        outside = ("https://elsewhere.example/", "//elsewhere.example/", "/.//elsewhere.example/", "http://[")
        for elsewhere in (*outside, "/login.html", "javascript:alert(1)"):
            page = await viewer.open(f"{url}/login.html?next={elsewhere}#{token('viewer')}")
            # until it is loaded: closed before, a page may never say so
            await page.wait_for_url(re.compile(rf"^{url}/(\?.*)?$"))
            await page.close()
        forgive(viewer)


async def test_without_users_nothing_is_asked_of_anybody(viewer: Viewer) -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, LinkUp(connector="test"))
        page = await viewer.open(f"http://127.0.0.1:{floor.port}/login.html")
        await expect(page.get_by_text("No sign-in needed")).to_be_visible()
        await page.get_by_role("link", name="Continue").click()
        await expect(page.locator(".topbar .connection")).to_contain_text("Live")
        await expect(page.locator(".topbar-who")).to_be_hidden()
        await page.close()
        forgive(viewer)


async def test_whoever_signed_in_takes_an_incident_in_their_own_name(viewer: Viewer, tmp_path: Path) -> None:
    bus = MemoryBus()
    await bus.create(alertskit.TOPICS)
    database = await alertskit.migrated(f"sqlite:///{tmp_path / 'alerts.db'}")
    async with alertskit.serving(bus, database, **settings(tmp_path)) as (_, url):
        await alertskit.publish(bus, flag())
        page = await viewer.open(url)
        await lead_to_sign_in(page)
        await page.goto(f"{url}/login.html#{token('supervisor')}")
        row = page.locator(".incident[data-id='1']")
        await row.get_by_role("button", name="Acknowledge").click()
        await expect(row).to_contain_text("王芳")
        await page.goto(f"{url}/login.html#{token('viewer')}")  # somebody who may only look
        await expect(row).to_contain_text("Acknowledged")
        await row.click()
        await expect(page.locator("dialog")).to_contain_text("王芳")
        await expect(page.locator("dialog form:visible")).to_have_count(0)
        await page.close()
        forgive(viewer)
    await database.close()
