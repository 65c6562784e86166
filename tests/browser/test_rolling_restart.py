"""A wallboard while the two monitors behind a load balancer are restarted one after the other, with people who sign in."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.authkit import SECRET, token, users_file
from tests.browser.conftest import Viewer
from tests.embedded import embedded_broker
from tests.fault.balancing import Balancer, balanced
from tests.fault.kit import Service, connect, create_topics, services
from tests.fault.load import Canonical, Plan, pouring
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.fault]

DRAIN_S = "1"
# what the browser itself says of a line that is cut, of a ticket that an ending monitor refuses, and of one that is none of this
# monitor's: the balancer sends each connection to the next one
_EXPECTED = re.compile(r"WebSocket connection to|status of 503|net::ERR_(CONNECTION|EMPTY)")
# what the page showed, as often as it changed
_REMEMBER = """() => {
  window.banners = [];
  const banner = document.getElementById("connection-banner");
  new MutationObserver(() => banner.hidden || window.banners.push(banner.dataset.state + ": " + banner.textContent))
    .observe(banner, { attributes: true, childList: true, subtree: true });
}"""

# what a page makes of a goodbye: state and reason. A ticket is asked for before each connection, and is good at one monitor alone
_SENT_AWAY = """async ([code, reason]) => {
  const { SocketClient } = await import("/static/shared/live.js");
  const made = [], told = [], own = window.WebSocket;
  window.WebSocket = class {
    constructor() { made.push(this); }
    close() {}
  };
  const client = new SocketClient({ onMessage() {}, onState: ({ state, reason }) => told.push([state, reason]) }).start();
  while (!made.length) await new Promise((resolve) => setTimeout(resolve, 10));
  made[0].onclose({ code, reason });
  client.stop();
  window.WebSocket = own;
  return told;
}"""
_ENDS: Final = [4501, "this monitor ends, come back"]


async def test_a_page_comes_back_by_itself_to_the_other_monitor_and_stays_signed_in(
    viewer: Viewer, tmp_path: Path
) -> None:
    users = users_file(tmp_path)
    with embedded_broker(tmp_path / "broker.log") as broker:
        await create_topics(broker, partitions=1)
        both = [signed(Service("monitor", broker, tmp_path, name=name, shutdown_s=30), users) for name in ("a", "b")]
        bus = connect(broker)
        async with services(*both), balanced(*both) as balancer:
            await until(lambda: all(balancer.stands(one) for one in both), "both are ready")
            plan = Plan(["north"], rate=200, lasts_s=3600 / 200)
            async with pouring(plan, Canonical(bus, plan.sites)):
                page = await viewer.open(f"{balancer.url}/login.html?next=%2F#{token('supervisor')}")
                await shows_the_present(page)
                await page.evaluate(_REMEMBER)
                for one in both:
                    await restart(one, balancer)
                    await shows_the_present(page)
                banners: list[Any] = await page.evaluate("window.banners")
                assert await page.evaluate(_SENT_AWAY, _ENDS) == [["connecting", ""]], (
                    "a page in Chinese showed it in English"
                )
                elsewhere = await page.evaluate(_SENT_AWAY, [4401, ""])
                assert elsewhere == [["connecting", ""]], "the ticket was another monitor's: it asks for one once more"
                assert await page.evaluate(_SENT_AWAY, [4403, "no"]) == [["refused", "no"]]
                await page.close()
        await bus.close()
    assert not [one for one in banners if one.startswith("refused")], banners
    viewer.complaints[:] = [one for one in viewer.complaints if not _EXPECTED.search(one)]


def signed(service: Service, users: Path) -> Service:
    service._env |= {"FLOORWATCH_DRAIN_S": DRAIN_S, "AUTH_USERS_FILE": str(users), "AUTH_SECRET": SECRET}
    return service


async def restart(one: Service, balancer: Balancer) -> None:
    assert one.process is not None
    one.process.terminate()
    assert await asyncio.wait_for(one.process.wait(), PATIENCE_S) == 0, one.log.read_text()[-4000:]
    await one.start()
    await until(lambda: balancer.stands(one), "it is back")


async def shows_the_present(page: Page) -> None:
    """A call that began after this was asked for is on the board."""
    await expect(page.locator("#connection-banner")).to_be_hidden()
    await page.wait_for_function("() => document.querySelector('.card')")
    before = await page.evaluate("() => document.querySelector('main').textContent")
    await page.wait_for_function("before => document.querySelector('main').textContent !== before", arg=before)
    await expect(page.locator("#connection-banner")).to_be_hidden()
