"""From the switch to the ear: the simulated switch's tones through the real relay into a real page, and how each may die."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from playwright.async_api import Error as PlaywrightError

from services.ingest.connectors.simulator.sound.sounds import AGENT_HZ, CUSTOMER_HZ
from shared.clock import SystemClock
from shared.kafka import KafkaBus
from tests.browser.livesystem import PATIENCE_MS, Switch, System
from tests.browser.soundkit import WILLING, ask_and_listen, hearing, page_at, told, until_sides, until_told
from tests.processes import children
from tests.scenario.test_run import running

pytestmark = pytest.mark.asyncio(loop_scope="package")

SITE = "demo"
TONES = (AGENT_HZ, CUSTOMER_HZ)
BOTH = ([True, False], [False, True])  # the agent left, the customer right
FIRST_S = 1.0
# so many must be in time, of so many at the most: any one may meet a moment in which the machine is busy
TRIES, IN_TIME = 12, 3
GONE_S = 2.0
LONGEST_CALL_MS = 600_000  # most end within one minute, but some are handed over twice and held each time
BUSY_S = 1.0  # by which a busy machine may be later, and we by looking
CLOCK = SystemClock()


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The simulated floor, as slow as life so that calls last, with calls that are tones."""
    folder = tmp_path_factory.mktemp("listening")
    async with running(folder, "--simulator", "--speed", "1", "--seed", "7", SIMULATOR_AUDIO="tones") as it:
        bus = KafkaBus(f"127.0.0.1:{it.ports['BROKER_PORT']}")
        try:
            system = System(it, Switch(bus))
            await system.until(lambda floor: calls_in(floor), "somebody talks to a customer")
            yield system
        finally:
            await bus.close()


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def ears() -> AsyncIterator[Browser]:
    async with hearing(*WILLING) as browser:
        yield browser


def calls_in(floor: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls in which one agent and nobody else talks to a customer, the youngest first."""
    found = []
    for call in floor["calls"]:
        legs = call["legs"]
        if [leg["state"] for leg in legs if leg["role"] == "agent"] == ["talking"] and len(legs) <= 2:
            found.append(call)
    return sorted(found, key=lambda call: str(call["started"]), reverse=True)


def agent_of(call: dict[str, Any]) -> str:
    return next(str(leg["agent_id"]) for leg in call["legs"] if leg["role"] == "agent")


async def a_call(system: System, *, youngest: bool = True) -> dict[str, Any]:
    """A call that nobody hears yet."""
    floor = await system.until(lambda floor: any(calls_in(floor)), "there is a call")
    return calls_in(floor)[0 if youngest else -1]


Deed = Callable[[Page, dict[str, Any]], Awaitable[None]]


async def with_a_call(system: System, browser: Browser, deed: Deed, *, youngest: bool = True) -> None:
    """Do it on the inspectors' page, under its own policy of what it may connect to, with a call that nobody hears yet.

    What becomes of a simulated call is chance: of one that ends, is held or goes on with somebody else meanwhile nothing
    can be told. Then it is done again, with another.
    """
    for left in reversed(range(TRIES)):
        async with page_at(browser, system.url("/listen")) as (page, complaints):
            call = await a_call(system, youngest=youngest)
            try:
                await deed(page, call)
            except (AssertionError, PlaywrightError):
                if not left or not await went_its_way(system, page, call):
                    raise
                await end(page)
                continue
            assert [said for said in complaints if "WebSocket" not in said] == []
            return


async def went_its_way(system: System, page: Page, call: dict[str, Any]) -> bool:
    """Whether the call is another one now than it was, or was so meanwhile as the page was told."""
    same = [one for one in calls_in(await system.floor()) if one["call_id"] == call["call_id"]]
    if not same or agent_of(same[0]) != agent_of(call):
        return True
    return bool(await page.evaluate(OTHERWISE, [call["call_id"], agent_of(call)]))


OTHERWISE = """([call, agent]) => (window.told ?? []).some((one) => one.name === "state" &&
  (one.muted || one.state === "ended" || ![call, ""].includes(one.call_id) || ![agent, ""].includes(one.agent_id)))"""


def listeners(floor: dict[str, Any], agent_id: str) -> int:
    return next(int(agent["listeners"]) for agent in floor["agents"] if agent["agent_id"] == agent_id)


async def test_a_call_is_heard_at_once_left_and_right(ears: Browser, system: System) -> None:
    found: list[float] = []

    async def hear(page: Page, call: dict[str, Any]) -> None:
        seconds = await ask_and_listen(page, wish_of(call))
        if not found:
            await until_sides(page, *BOTH, TONES)
        await page.evaluate("listening.close()")
        await end(page)
        found.append(seconds)

    while len(found) < TRIES and sum(seconds <= FIRST_S for seconds in found) < IN_TIME:
        await with_a_call(system, ears, hear)
    assert sorted(found)[IN_TIME - 1] <= FIRST_S, found


def wish_of(call: dict[str, Any]) -> dict[str, str]:
    return {"site": SITE, "call_id": str(call["call_id"]), "purpose": "live_qa"}


SWITCH = """async mode => {
  const change = { method: "PATCH", body: JSON.stringify({ mode }), headers: { "content-type": "application/json" } };
  return (await fetch(`/api/v1/listens/${listen.listen_id}`, change)).status;
}"""


async def end(page: Page) -> None:
    await page.evaluate("() => window.listen && fetch(`/api/v1/listens/${listen.listen_id}`, { method: 'DELETE' })")


async def test_what_the_inspector_says_reaches_the_switch_while_they_whisper(ears: Browser, system: System) -> None:
    async def whisper(page: Page, call: dict[str, Any]) -> None:
        await ask_and_listen(page, wish_of(call))
        await page.evaluate("listening.microphone(true)")
        listens = await until_told(page, "stats", "it.relay.spoken_discarded > 0")
        assert listens["relay"]["spoken"] == 0, "who listens is not heard"
        changed = await page.evaluate(SWITCH, "whisper")
        assert changed == 200
        await until_told(page, "state", "it.mode === 'whisper' && it.speaking")
        await until_told(page, "stats", "it.relay.spoken >= 25")
        await until_sides(page, *BOTH, TONES)
        await end(page)

    await with_a_call(system, ears, whisper)


async def test_the_end_of_the_call_ends_the_listen(ears: Browser, system: System) -> None:
    heard: list[str] = []

    async def hear(page: Page, call: dict[str, Any]) -> None:
        await ask_and_listen(page, wish_of(call))
        heard.append(call["call_id"])
        ended = await until_told(page, "ended", timeout_ms=LONGEST_CALL_MS)
        state = (await told(page, "state"))[-1]
        assert (state["link"], state["state"]) == ("closed", "ended")
        assert ended["reason"] == "call_ended"
        assert await page.evaluate("renewals") == 0

    try:
        await with_a_call(system, ears, hear, youngest=False)
    finally:
        assert len(heard) == 1, "that it ended is no reason to take another one"


async def test_a_page_that_dies_leaves_nothing_on_the_switch(system: System) -> None:
    took: list[float] = []

    async def die(page: Page, call: dict[str, Any]) -> None:
        await ask_and_listen(page, wish_of(call))
        agent_id = agent_of(call)
        await system.until(lambda floor: listeners(floor, agent_id) == 1, "the switch tells of the listener")
        with frozen_browsers():
            since = CLOCK.monotonic()
            await system.until(lambda floor: listeners(floor, agent_id) == 0, "the switch's leg is gone")
            took.append(CLOCK.monotonic() - since)

    while len(took) < TRIES and not any(seconds < GONE_S + BUSY_S for seconds in took):
        async with hearing(*WILLING) as browser:
            await with_a_call(system, browser, die)
    assert min(took) < GONE_S + BUSY_S, took


@contextlib.contextmanager
def frozen_browsers() -> Iterator[None]:
    """Everything of the newest browser stands still: it answers nothing, and closes nothing."""
    pids = newest_browser(os.getpid())
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def newest_browser(pid: int) -> list[int]:
    """The processes of the browser that this process started last."""
    drivers = [one for one, command in children(pid).items() if "playwright" in command]
    newest = max(drivers, key=began)
    return [one for one, command in descendants(newest).items() if "chrom" in command]


def began(pid: int) -> int:
    """When a process was started, in the kernel's ticks: the numbers of processes begin anew now and then."""
    return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[19])


def descendants(pid: int) -> dict[int, str]:
    found = dict(children(pid))
    for child in tuple(found):
        found |= descendants(child)
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "restarted"])
async def test_a_relay_that_dies_or_is_restarted_is_replaced_and_the_page_hears_on(
    how: signal.Signals, ears: Browser, system: System
) -> None:
    async def hear_on(page: Page, call: dict[str, Any]) -> None:
        await ask_and_listen(page, {"site": SITE, "agent_id": agent_of(call), "purpose": "coaching"})
        await until_sides(page, *BOTH, TONES)
        relay = system.it.pid_of("relay")
        os.kill(relay, how)
        await until_told(page, "trouble", "it.code === 'lost' && !it.over")
        await until_told(page, "trouble", "it.code === 'lost' && it.over", timeout_ms=PATIENCE_MS)
        await until_sides(page, *BOTH, TONES, timeout_ms=PATIENCE_MS)
        assert system.it.pid_of("relay") not in (0, relay)
        assert await told(page, "ended") == [], "it is the same listen"
        await end(page)
        assert (await until_told(page, "ended"))["reason"] == "by_listener"

    await with_a_call(system, ears, hear_on)
