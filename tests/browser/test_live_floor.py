"""Pages of the running system: a transfer that takes too long, a monitor that is killed, a reader that never reads."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from playwright.async_api import expect

from shared.clock import SystemClock
from tests.browser.conftest import Viewer
from tests.browser.livesystem import PATIENCE_MS, REDNESS, System, quiet, stamp_when, stamped
from tests.contract.test_feed_slow import Plain

pytestmark = pytest.mark.asyncio(loop_scope="package")

LIMIT_S, LATE_S = 7.0, 0.3
SLOW_S = 3.0  # after which a reader that takes nothing is let go, here
LARGE, BATCH = 1500, 500


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Two agents; Anna talks to a customer."""
    settings = {"MONITOR_SLOW_S": str(SLOW_S), "MONITOR_MAX_UNSENT_BYTES": str(64 << 10)}
    async with quiet(tmp_path_factory.mktemp("live"), **settings) as system:
        await system.switch.say(
            ("link_up", {"connector": "pbx"}),
            ("agent_logged_on", {"agent_id": "1001", "name": "Anna", "team": "Blue", "queues": ["sales"]}),
            ("agent_logged_on", {"agent_id": "1002", "name": "Bert", "team": "Blue", "queues": ["sales"]}),
            ("call_queued", {"call_id": "c1", "queue": "sales"}),
            ("leg_started", {"call_id": "c1", "leg_id": "l1", "agent_id": "1001", "queue": "sales"}),
            ("leg_answered", {"call_id": "c1", "leg_id": "l1"}),
            ("call_dequeued", {"call_id": "c1", "queue": "sales", "reason": "answered", "agent_id": "1001"}),
        )
        await system.until(lambda floor: "talk" in [one["state"] for one in floor["agents"]], "Anna talks")
        yield system


# what is red on each page once the transfer takes too long, and where its time stands
RED = {
    "/": ('.transfer[data-slow="yes"]', '.transfer[data-slow="yes"] .transfer-time'),
    "/transfers": ('#running .row-item[data-verdict="yes"]', '#running .row-item[data-verdict="yes"] .row-took'),
    "/hall": ('.hall-flag[data-tone="critical"]', '.hall-flag[data-tone="critical"] .flag-shape'),
}


async def test_a_transfer_that_takes_too_long_is_red_everywhere_at_once(viewer: Viewer, system: System) -> None:
    pages = {path: await viewer.open(system.url(path)) for path in RED}
    await expect(pages["/"].locator(".card")).to_have_count(2, timeout=PATIENCE_MS)
    await expect(pages["/hall"].locator(".tile")).to_have_count(1, timeout=PATIENCE_MS)
    await expect(pages["/transfers"].locator("#running")).to_contain_text("No transfer is running", timeout=PATIENCE_MS)
    for path, page in pages.items():
        await stamp_when(page, RED[path][0])
    begun = await system.switch.say(
        (
            "transfer_requested",
            {"transfer_id": "t1", "call_id": "c1", "kind": "attended", "from_agent": "1001", "to_agent": "1002"},
        )
    )
    await expect(pages["/"].locator(".transfer")).to_contain_text("Anna → Bert", timeout=5000)
    late = {path: await stamped(page) - begun.timestamp() - LIMIT_S for path, page in pages.items()}
    assert all(-0.05 < seconds <= LATE_S for seconds in late.values()), late
    for path, page in pages.items():
        assert await page.locator(RED[path][1]).first.evaluate(REDNESS) > 60, f"it is red on {path}"
    await expect(pages["/"].locator(".flag")).to_contain_text("more than 7 s")
    await system.switch.say(("transfer_bridged", {"transfer_id": "t1", "to_agent": "1002"}))
    await expect(pages["/"].locator(".flag")).to_have_count(0, timeout=PATIENCE_MS)
    await expect(pages["/transfers"].locator("#finished .row-item")).to_contain_text("Anna → Bert", timeout=PATIENCE_MS)
    for page in pages.values():
        await page.close()


WATCH = """() => {
  window.sameDocument = true;
  const first = document.querySelector(".card");
  const never = { hidden: 0, welcomed: 0, replaced: 0, aged: 0, lost: 0, banner: null, grey: null };
  const seen = (window.seen = { cards: Infinity, ...never });
  const look = () => {
    seen.cards = Math.min(seen.cards, document.querySelectorAll(".card").length);
    seen.hidden += Number(document.querySelector("#floor").hidden);
    seen.welcomed += Number(!document.querySelector("#welcome").hidden);
    seen.replaced += Number(!first.isConnected);
    seen.aged += document.querySelectorAll('.site-age[data-tone="warning"]').length;
    seen.lost += Number(document.querySelector(".connection").dataset.tone !== "ok");
    if (!document.querySelector("#connection-banner").hidden) seen.banner ??= Date.now();
    if (document.querySelector('.card[data-stale="yes"]')) seen.grey ??= Date.now();
  };
  new MutationObserver(look).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
}"""

PICTURE = """() => ({
  cards: [...document.querySelectorAll(".card")].map((card) =>
    [".card-name", ".card-state"].map((part) => card.querySelector(part)?.textContent).join(": ")),
  stale: document.querySelectorAll('[data-stale="yes"]').length,
  queues: [...document.querySelectorAll(".queue")].map((queue) =>
    [".figure-waiting", ".figure-answered", ".figure-level"].map((part) => queue.querySelector(part)?.textContent)),
  flags: document.querySelectorAll(".flag").length,
  transfers: [...document.querySelectorAll(".transfer")].map((node) => node.dataset.outcome),
})"""


async def test_a_monitor_that_is_killed_is_missed_and_comes_back_unnoticed(viewer: Viewer, system: System) -> None:
    page = await viewer.open(system.url())
    await expect(page.locator(".card")).to_have_count(2, timeout=PATIENCE_MS)
    before = await page.evaluate(PICTURE)
    assert before["cards"] == ["Anna: Talk", "Bert: Ready"]
    await page.evaluate(WATCH)
    killed = SystemClock().now().timestamp()
    os.kill(system.it.pid_of("monitor"), signal.SIGKILL)
    banner = page.locator("#connection-banner")
    await expect(banner).to_be_visible(timeout=PATIENCE_MS)
    await expect(page.locator('.card[data-stale="yes"]')).to_have_count(2)
    await expect(banner).to_be_hidden(timeout=PATIENCE_MS)
    await expect(page.locator('[data-stale="yes"]')).to_have_count(0, timeout=PATIENCE_MS)
    seen: dict[str, Any] = await page.evaluate("() => window.seen")
    assert seen["banner"] / 1000 - killed <= 3.0
    assert seen["grey"] / 1000 - killed <= 3.0
    assert await page.evaluate("() => window.sameDocument"), "it was not loaded anew"
    assert (seen["cards"], seen["hidden"], seen["welcomed"], seen["replaced"]) == (2, 0, 0, 0), "nothing flickered"
    fresh = await viewer.open(system.url())
    await expect(fresh.locator(".card")).to_have_count(2, timeout=PATIENCE_MS)
    assert await page.evaluate(PICTURE) == await fresh.evaluate(PICTURE) == before
    await system.switch.say(("agent_not_ready", {"agent_id": "1002", "reason": "lunch"}))
    for one in (page, fresh):
        await expect(one.locator(".card", has_text="Bert")).to_contain_text("Break", timeout=PATIENCE_MS)
        await one.close()
    refused = re.compile("ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection")
    viewer.complaints[:] = [one for one in viewer.complaints if not refused.search(one)]  # the browser's own lines


async def rename(system: System, turn: int) -> None:
    """Every agent of a large floor has another name: more than a megabyte for each wallboard."""
    for first in range(0, LARGE, BATCH):
        agents = range(first, first + BATCH)
        await system.switch.say(
            *(("agent_logged_on", {"agent_id": f"x{n}", "name": f"Agent {n} turn {turn} " * 8}) for n in agents)
        )


async def test_one_that_never_reads_costs_nobody_else_anything(viewer: Viewer, system: System) -> None:
    await rename(system, 0)
    await system.until(lambda floor: len(floor["agents"]) >= LARGE, "the floor is large")
    page = await viewer.open(system.url())
    await expect(page.locator(".card").first).to_be_visible(timeout=PATIENCE_MS)
    await page.evaluate(WATCH)
    port = system.it.ports["MONITOR_PORT"]
    reader = Plain(cast(Any, SimpleNamespace(port=port)))
    assert await system.metric("monitor_feed_too_slow_total") == 0
    await reader.begin()
    turn = 1
    try:
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while await system.metric("monitor_feed_too_slow_total") == 0:
                await rename(system, turn)
                turn += 1
                await asyncio.sleep(0.5)
            while await reader.hear() is not None:
                pass
        assert reader.close is not None
        assert reader.close[0] == 4503
        assert reader.close[1].startswith("too slow, ")
    finally:
        reader.hang_up()
    assert await system.metric("monitor_feed_too_slow_total") == 1
    await system.switch.say(("agent_ready", {"agent_id": "1002"}))
    await page.locator("input[type=search]").first.fill("Bert")
    await expect(page.locator(".card", has_text="Bert")).to_contain_text("Ready", timeout=5000)
    seen = await page.evaluate("() => window.seen")
    assert (seen["aged"], seen["lost"], seen["banner"], seen["grey"]) == (0, 0, None, None), (
        "it stayed live, never 2 s old"
    )
    await page.close()
