"""Ten thousand agents on one page: how soon it is painted, how it scrolls, and what it keeps in memory."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import CDPSession, Page, expect

from services.monitor.core.views import CallView, FlagView
from services.monitor.feed import messages
from services.monitor.feed.messages import Change, Delta
from tests.browser.conftest import Viewer
from tests.browser.feedserver import FeedServer
from tests.browser.floors import agent, ago, call, flag, large_floor

pytestmark = pytest.mark.asyncio(loop_scope="package")

AGENTS = 10_000
FIRST_PAINT_MS = 2000  # of which the page's own work may take three quarters
FRAME_MS = 1000 / 60
PATIENCE_MS = 60_000  # what is there sooner does not wait, and ten thousand cost a busy machine more than a few
TRIES = (
    4  # work is measured and not time, as tests share their machine; even so, cold caches and busy neighbours cost some
)

# Scrolls for `ms`, a third of the view with each frame, and tells how many frames that were.
SCROLL = """(ms) => new Promise((done) => {
  const list = document.querySelector(".agents-scroll");
  let frames = 0;
  let down = 1;
  const end = performance.now() + ms;
  const step = () => {
    frames += 1;
    const before = list.scrollTop;
    list.scrollTop += down * 130;
    if (list.scrollTop === before) down = -down;
    if (performance.now() < end) requestAnimationFrame(step);
    else done(frames);
  };
  requestAnimationFrame(step);
})"""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def floor() -> AsyncIterator[Any]:
    yield large_floor(AGENTS)


async def busy_ms(devtools: CDPSession) -> float:
    """Milliseconds that the page's main thread has worked so far."""
    metrics = await devtools.send("Performance.getMetrics")
    return 1000 * float(next(one["value"] for one in metrics["metrics"] if one["name"] == "TaskDuration"))


async def measuring(page: Page) -> CDPSession:
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})  # work, and not waiting for a processor
    return devtools


@pytest.mark.parametrize("view", ["cards", "rows"])
async def test_the_work_until_the_first_paint_leaves_time_for_the_rest(viewer: Viewer, floor: Any, view: str) -> None:
    async with viewer.show(floor, f"/?view={view}") as (_, page):
        devtools = await measuring(page)
        took = []
        for _ in range(TRIES):
            before = await busy_ms(devtools)
            await page.reload()
            await expect(page.locator(".agent").first).to_be_visible(timeout=PATIENCE_MS)
            took.append(await busy_ms(devtools) - before)
            if took[-1] < FIRST_PAINT_MS * 3 / 4:
                break
        assert min(took) < FIRST_PAINT_MS * 3 / 4, took


@pytest.mark.parametrize("view", ["cards", "rows"])
async def test_a_frame_of_scrolling_takes_less_than_a_frame(viewer: Viewer, floor: Any, view: str) -> None:
    async with viewer.show(floor, f"/?view={view}") as (_, page):
        await expect(page.locator(".agent").first).to_be_visible(timeout=PATIENCE_MS)
        devtools = await page.context.new_cdp_session(page)
        await devtools.send(
            "Performance.enable", {"timeDomain": "threadTicks"}
        )  # work, and not waiting for a processor
        took = []
        for _ in range(TRIES):
            before = await busy_ms(devtools)
            frames = await page.evaluate(SCROLL, 1000)
            took.append((await busy_ms(devtools) - before) / frames)
            if took[-1] < FRAME_MS:
                break
        assert min(took) < FRAME_MS, took
        assert await page.locator(".agent").count() < 200


# ---------------------------------------------------------------- memory

ROUNDS = 16  # in half of them each of the agents has got its call, and is as large as it will ever be
PER_ROUND = 5000  # changes of a kind that a floor of this size says in some minutes
BATCH = 200
KEPT_MB = 1.5  # a quarter of the rounds is 6000 calls: not 250 bytes of each


def changes(of: int) -> Iterator[Change]:
    """What a floor says all day long: states, calls that come and go, flags that rise and fall."""
    for n in range(of):
        who = f"{n * 7919 % AGENTS:05}"
        talking = n % 2 == 0
        conversation = call(call_id=f"c{n}", since=ago(5)) if talking else None
        state = "talk" if talking else "ready"
        value = agent(
            who, f"Agent {who}", state, team=f"Team {int(who) // 25:03}", since=ago(n % 100), call=conversation
        )
        yield Change("agent", f"hq/{who}", messages.raw(value))
        yield Change("call", f"hq/c{n}", messages.raw(_call(n)))
        yield Change("call", f"hq/c{n - 500}", None)
        if n % 10 == 0:
            yield Change("flag", f"hq/f{n}", messages.raw(_flag(n, who)))
            yield Change("flag", f"hq/f{n - 500}", None)


def _flag(n: int, who: str) -> FlagView:
    return flag(f"f{n}", subject_id=who, labels={"agent": who})


def _call(n: int) -> CallView:
    return CallView(
        site="hq",
        call_id=f"c{n}",
        direction="inbound",
        state="answered",
        since=ago(5),
        started=ago(9),
        queue="sales",
        queued_since=None,
        from_number="+45••••4821",
        transfer_id="",
        legs=(),
    )


async def heap_mb(devtools: CDPSession) -> float:
    """What the page holds on to when all that it let go of is taken away."""
    await devtools.send("HeapProfiler.collectGarbage")
    usage = await devtools.send("Runtime.getHeapUsage")
    return float(usage["usedSize"]) / 1e6


async def say(feed: FeedServer, batch: list[Change]) -> None:
    feed.position += 1
    await feed._say(messages.encode(Delta(feed.position, batch)))


async def test_what_changes_leaves_nothing_behind(viewer: Viewer, floor: Any) -> None:
    async with viewer.show(floor, "/?view=rows&sort=attention") as (feed, page):
        await expect(page.locator(".agent").first).to_be_visible(timeout=PATIENCE_MS)
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("HeapProfiler.enable")
        all_changes = changes(ROUNDS * PER_ROUND)
        sizes: list[float] = []
        for _ in range(ROUNDS):
            for _ in range(PER_ROUND // BATCH):
                await say(feed, list(itertools.islice(all_changes, BATCH)))
            seen = f"hq/mark{len(sizes)}"
            await feed.change("flag", seen, flag(f"mark{len(sizes)}", severity="critical", summary_en=seen))
            await expect(page.locator(".flag", has_text=seen)).to_be_visible(timeout=PATIENCE_MS)
            sizes.append(await heap_mb(devtools))
        # what is kept grows with each round; code that is compiled and not yet let go of makes one or the other look larger
        half, last = min(sizes[ROUNDS // 2 : 3 * ROUNDS // 4]), min(sizes[3 * ROUNDS // 4 :])
        assert last < half + KEPT_MB, sizes
