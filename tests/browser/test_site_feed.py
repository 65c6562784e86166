"""A board of one site of several: what it asks the feed for, what it shows meanwhile, and what it hears of the others."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from shared import events
from tests.browser.conftest import Viewer, until_true
from tests.browser.test_wallboard_live import Floor, card, monitoring

pytestmark = pytest.mark.asyncio(loop_scope="package")

PEOPLE = {"hq": ("Ana Silva", "Bo Lind"), "ber": ("Cleo Bauer",)}


@contextlib.asynccontextmanager
async def two_sites(folder: Path) -> AsyncIterator[Floor]:
    async with monitoring(folder) as floor:
        for site, people in PEOPLE.items():
            await floor.say(0, events.LinkUp(connector="test"), site=site)
            for number, name in enumerate(people):
                logged_on = events.AgentLoggedOn(agent_id=str(number), name=name, team="Blue", queues=("sales",))
                await floor.say(0, logged_on, site=site)
        yield floor


class Wire:
    """What a page said to the feed and was told by it."""

    def __init__(self, page: Page) -> None:
        self.filters: list[Any] = []
        self.agents: set[str] = set()  # sites of which an agent was told since the last subscription
        page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "subscribe":
            self.filters.append(message.get("filter"))
            self.agents.clear()

    def _received(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "snapshot":
            self.agents |= {one["site"] for one in message["floor"]["agents"]}
        elif message["type"] == "delta":
            self.agents |= {one["key"].split("/")[0] for one in message["changes"] if one["kind"] == "agent"}


def only(*sites: str) -> dict[str, Any]:
    return {"sites": list(sites), "channels": ["queues", "agents", "calls"]}


ALARMS_CHOSEN = """async () => {
  const { prefs } = await import("/static/shared/prefs.js");
  return prefs.get("alarms", {}).notify;
}"""
LOOK = """() => {
  window.fewest = Infinity;
  const look = () => { window.fewest = Math.min(window.fewest, document.querySelectorAll(".card").length); };
  new MutationObserver(look).observe(document.querySelector("#agents"), { subtree: true, childList: true, attributes: true });
}"""


async def test_another_site_takes_the_place_of_the_first_with_nothing_blank_in_between(
    viewer: Viewer, tmp_path: Path
) -> None:
    async with two_sites(tmp_path) as floor:
        page = await viewer.open("about:blank")
        wire = Wire(page)
        await page.goto(f"{floor.url}/?site=hq")
        await expect(page.locator(".card")).to_have_count(2)
        assert (wire.filters, wire.agents) == ([only("hq")], {"hq"})
        await page.evaluate(LOOK)
        await page.locator("select.site-choice").select_option("ber")
        await expect(card(page, "Cleo Bauer")).to_be_visible()
        await expect(page.locator(".card")).to_have_count(1)
        assert (wire.filters, wire.agents) == ([only("hq"), only("ber")], {"ber"})
        assert await page.evaluate("() => window.fewest") == 1
        await floor.say(5, events.AgentNotReady(agent_id="0", reason="lunch"), site="ber")
        await expect(card(page, "Cleo Bauer")).to_contain_text("Break")

        await page.go_back()
        await expect(card(page, "Ana Silva")).to_be_visible()
        await page.locator("select.site-choice").select_option("")
        await expect(page.locator(".card")).to_have_count(3)
        assert wire.filters[2:] == [only("hq"), None]
        await expect(page.locator("select.site-choice")).to_have_value("")
        await page.close()


async def called_from_berlin(viewer: Viewer, floor: Floor) -> Page:
    """A page of `hq` that was just told of a slow transfer in `ber`; the notification is `window.last`."""
    await viewer.context.add_init_script(
        """class Told { constructor(title, rest) { (window.told ??= []).push(title); window.last = this; } close() {} }
           Told.permission = "granted"; Told.requestPermission = async () => "granted"; window.Notification = Told;"""
    )
    async with httpx.AsyncClient(base_url=floor.url) as client:
        wanted = {"notify": True, "severities": ["critical", "warning"]}
        (await client.put("/api/v1/preferences/alarms", json=wanted)).raise_for_status()
    page = await viewer.open(f"{floor.url}/?site=hq")
    await expect(page.locator(".card")).to_have_count(2)
    await until_true(page, ALARMS_CHOSEN)
    await floor.say(10, events.CallQueued(call_id="c1", queue="sales"), site="ber")
    await floor.say(11, events.LegStarted(call_id="c1", leg_id="l1", agent_id="0", state="talking"), site="ber")
    begins = events.TransferRequested(transfer_id="t1", call_id="c1", kind="blind", from_agent="0", to_queue="support")
    await floor.say(12, begins, site="ber")
    await floor.say(20, events.Clock(), site="ber")
    await page.wait_for_function("() => window.last")
    return page


async def test_a_flag_of_a_site_that_is_not_shown_is_heard_and_can_be_gone_to(viewer: Viewer, tmp_path: Path) -> None:
    async with two_sites(tmp_path) as floor:
        page = await called_from_berlin(viewer, floor)
        assert await page.evaluate("() => window.told.length") == 1
        await expect(page.locator(".card")).to_have_count(2)
        await page.evaluate("() => window.last.onclick()")
        await expect(card(page, "Cleo Bauer")).to_be_focused()
        await expect(page.locator("select.site-choice")).to_have_value("ber")
        await page.close()


async def test_a_drawer_of_another_site_and_a_site_that_is_not_there(viewer: Viewer, tmp_path: Path) -> None:
    async with two_sites(tmp_path) as floor:
        page = await viewer.open("about:blank")
        wire = Wire(page)
        await page.goto(f"{floor.url}/?site=hq&agent=ber/0")
        await expect(page.get_by_role("dialog")).to_contain_text("Cleo Bauer")
        await expect(page.locator(".card")).to_have_count(2)
        assert wire.filters == [only("hq", "ber")]
        await page.goto(f"{floor.url}/?site=gone")
        await expect(page.locator(".card")).to_have_count(3)
        await page.close()
