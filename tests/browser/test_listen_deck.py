"""The deck of the inspectors' page: what stays at hand, what is over, and what is heard elsewhere."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Viewer
from tests.browser.floors import agent, changed
from tests.browser.listenpages import asked, console, row
from tests.browser.listenserver import busy_floor, leg, live_call, on_call

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_the_seventh_takes_the_place_of_what_was_heard_longest_ago(viewer: Viewer) -> None:
    agents = tuple(agent(f"{n}", f"Agent {n}", "talk", call=on_call(f"c{n}")) for n in range(1, 8))
    calls = tuple(live_call(f"c{n}", leg(f"{n}", seconds=90 - n)) for n in range(1, 8))
    floor = changed(busy_floor(), agents=agents, calls=calls, flags=(), transfers=())
    async with console(viewer, floor) as (_, page):
        for n in range(1, 8):
            await row(page, f"Agent {n}").click()
            await expect(page.locator(".player-who")).to_have_text(f"Agent {n}")
            await expect(page.locator(".player-state")).to_have_text("live")
        await expect(page.locator(".deck-name")).to_have_text([f"Agent {n}" for n in (7, 2, 3, 4, 5, 6)])
        await page.reload()
        await expect(page.locator(".deck-name")).to_have_text([f"Agent {n}" for n in (7, 2, 3, 4, 5, 6)])
        await expect(page.locator(".player-state")).to_contain_text("not heard")  # nothing is heard without a click


async def test_what_sounds_is_named_and_muted_while_something_else_is_shown(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await server.relay.end("call_ended")
        await expect(page.locator(".player-state")).to_contain_text("the call is over")
        await row(page, "Di Ng").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await page.keyboard.press("1")
        await expect(page.locator(".player-who")).to_have_text("Ana Silva")
        await expect(page.locator(".player-state")).to_contain_text("you hear 2, Di Ng")
        await page.get_by_role("button", name="Mute").click()
        await expect(page.get_by_role("button", name="Unmute")).to_have_attribute("aria-pressed", "true")
        await page.keyboard.press("2")
        await expect(page.locator(".player-who")).to_have_text("Di Ng")
        await expect(page.get_by_role("button", name="Unmute")).to_be_visible()


async def test_a_call_that_ended_on_the_deck_is_over_and_not_hopped_to(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await row(page, "Ana Silva").click()
        await row(page, "Di Ng").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await expect(page.locator(".deck-state").first).to_contain_text("not heard")
        await row(page, "Ana Silva").focus()
        await server.change("call", "hq/c1", None)
        await expect(page.locator(".call-row:focus .call-who")).to_have_text("Han Bo")  # its neighbour
        await expect(page.locator(".deck-state").first).to_contain_text("ended")
        await page.keyboard.press("1")
        await expect(page.locator(".player-state")).to_contain_text("the call is over · you hear 2, Di Ng")
        await page.keyboard.press("s")
        await page.locator(".player-toggle", has_text="Off the deck").click()
        await expect(page.locator(".player-who")).to_have_text("Di Ng")
        await expect(page.locator(".player-state")).to_have_text("live")
        assert len(asked(server, "POST")) == 2, "what is over is not asked for"


async def test_what_one_hears_in_another_window_goes_on_here(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        server.one_each = True  # as with a users file
        other = await viewer.open(page.url)
        await row(other, "Ana Silva").click()
        await expect(other.locator(".player-state")).to_have_text("live")
        assert [one["listen_id"] for one in server.listens] == ["l1"]
        await other.close()
    viewer.complaints.clear()


async def test_a_link_puts_the_agent_on_the_deck(viewer: Viewer) -> None:
    async with console(viewer, path="/listen?agent=hq/1003") as (server, page):
        await expect(page.locator(".player-who")).to_have_text("Cao Wei")
        await expect(page.locator(".player-state")).to_contain_text("not heard")
        assert asked(server, "POST") == []
        await page.keyboard.press("s")
        await expect(page.locator(".player-state")).to_have_text("live")
        assert asked(server, "POST")[0][1]["agent_id"] == "1003"
