"""What the board says of its own knowledge: where from, how old, how exact."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Viewer
from tests.browser.floors import agent, ago, queue, site, small_floor, transfer
from tests.browser.test_wallboard import card, with_

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_every_tile_tells_how_it_is_known_and_how_old_that_is(viewer: Viewer) -> None:
    floor = with_(
        small_floor(),
        agents=(agent("1001", "Ana Silva", "wrap", provenance="timer", seen=ago(130)),),
        queues=(queue("sales", "Sales", provenance="inferred", seen=ago(65)),),
        transfers=(transfer("t1", provenance="observed", seen=ago(3)),),
    )
    async with viewer.show(floor) as (_, page):
        mark = card(page, "Ana Silva").locator(".evidence")
        await expect(mark).to_have_attribute("data-provenance", "timer")
        await mark.hover()
        await expect(mark).to_have_attribute(
            "title", re.compile(r"a timer of the queue.* last heard of 2 min ago, at 19:57")
        )
        tile = page.locator(".queue")
        await expect(tile.locator(".evidence")).to_have_attribute("data-provenance", "inferred")
        await expect(tile.locator(".queue-seen")).to_have_text("1 min ago")
        await expect(page.locator(".transfer .evidence")).to_have_attribute("data-provenance", "observed")


async def test_a_site_that_is_down_makes_every_mark_stale(viewer: Viewer) -> None:
    floor = with_(small_floor(), sites=(site(link="down", link_since=ago(30)),), transfers=(transfer("t1"),))
    async with viewer.show(floor) as (_, page):
        marks = page.locator(".evidence")
        await expect(marks).to_have_count(6)  # three agents, two queues, a transfer
        await expect(page.locator('.evidence[data-provenance="stale"]')).to_have_count(6)


async def test_a_flapping_agent_is_marked_and_the_mark_goes_with_it(viewer: Viewer) -> None:
    restless = agent("1002", "Bo Lind", flapping_since=ago(300))
    async with viewer.show(with_(small_floor(), agents=(restless,))) as (feed, page):
        mark = card(page, "Bo Lind").locator(".card-flapping")
        await expect(mark).to_be_visible()
        await expect(mark).to_have_attribute("aria-label", re.compile("every few seconds since 19:55:00"))
        await feed.change("agent", "hq/1002", agent("1002", "Bo Lind"))
        await expect(mark).to_be_hidden()


async def test_a_coarse_clock_s_transfer_is_not_called_slow_before_it_is_certain(viewer: Viewer) -> None:
    floor = with_(small_floor(), transfers=(transfer("t1", requested=ago(7.2), precision_ms=60_000),))
    async with viewer.show(floor) as (feed, page):
        row = page.locator(".transfer")
        await expect(row.locator(".transfer-time")).to_have_text(re.compile(r"^\d+\.\d s ± 60$"))
        await expect(row).not_to_have_attribute("data-slow", "yes")
        done = transfer(
            "t1", precision_ms=1000, outcome="completed", ended=ago(0), bridged=ago(0), total_s=7.0, slow="cannot_tell"
        )
        await feed.change("transfer", "hq/t1", done)
        await expect(row).to_contain_text("completed · cannot tell")
        await expect(row).not_to_have_attribute("data-slow", "yes")
