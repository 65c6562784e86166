"""Faults one after another, in an order that the seed gives, and how long it takes each time until all is right again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from random import Random
from typing import Final

from msgspec import Struct

from tests.fault.load import Load
from tests.soak.boards import IDLE_S, RIGHT_S
from tests.soak.faults import Fault
from tests.soak.stage import Stage
from tests.waiting import beside

AT_LAST_S: Final = 600.0
CALM_S: Final = 1.0  # it counts as right when it has been for so long
_LOOK_S: Final = 0.02
_ASK_S: Final = 0.1


class Struck(Struct, kw_only=True):
    """A fault that happened. Seconds of the load's clock; `boards_s`, `ready_s`: from when nothing of ours stood in the way any
    more until every board showed each site as of less than 1 s ago, and until every service said that it is ready, for good."""

    fault: str
    at_s: float
    lifted_s: float = 0.0
    boards_s: float = 0.0
    ready_s: float = 0.0
    failed: str = ""  # why it did not come right again
    waited_for: str = ""  # who was not right last, and why
    load_average: float = 0.0  # of the machine, then


class _Watch:
    """Looks all the time at who is not right and keeps when that was last so (monotonic). `asked`: when services were last asked
    that have all answered since."""

    def __init__(self, stage: Stage, load: Load) -> None:
        self.stage = stage
        self._load = load
        self.boards = self.services = self.asked = time.monotonic()
        self.why: list[str] = []  # the services that are not ready, with their reason
        self.wrong: list[str] = []  # the boards that are not right
        self.last: dict[str, str] = {}  # who was not right last: boards, or services with their reason

    async def look_at_boards(self) -> None:
        due = time.monotonic()
        while True:
            self.stage.late_s = max(self.stage.late_s, time.monotonic() - due)
            limit_s = IDLE_S if self._load.done.is_set() else RIGHT_S
            self.wrong = self.stage.not_right(time.monotonic(), limit_s)
            if self.wrong:
                self.boards = time.monotonic()
                self.last["boards"] = ", ".join(self.wrong)
            due = time.monotonic() + _LOOK_S
            await asyncio.sleep(_LOOK_S)

    async def look_at_services(self) -> None:
        while True:
            asked = time.monotonic()
            self.why = await self.stage.not_ready()
            if self.why:
                self.services = time.monotonic()
                self.last["services"] = "; ".join(self.why)
            self.asked = asked
            self.stage.weigh()
            await asyncio.sleep(_ASK_S)


@contextlib.asynccontextmanager
async def _watching(stage: Stage, load: Load) -> AsyncIterator[_Watch]:
    watch = _Watch(stage, load)
    async with beside(watch.look_at_boards(), watch.look_at_services()):
        yield watch


def order(faults: Sequence[Fault], chance: Random) -> Iterator[Fault]:
    """All of them shuffled, again and again."""
    while True:
        yield from chance.sample(faults, len(faults))


async def drill(
    stage: Stage,
    load: Load,
    faults: Iterator[Fault],
    chance: Random,
    *,
    ends_s: float,
    within_s: float,
    tell: Callable[[Struck], None],
) -> list[Struck]:
    """Strike and wait until all is right, until the load's clock shows `ends_s` or there is no more fault.

    Ends early when something does not come right within `within_s`: that is the last one then, with its reason, and what comes
    right within `AT_LAST_S` can be counted all the same.
    """
    struck: list[Struck] = []
    async with _watching(stage, load) as watch:
        await _recovered(watch, time.monotonic(), within_s)
        for one in faults:
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            if load.now_s() >= ends_s:
                break
            found = await _strike(one, stage, load, chance, watch, within_s)
            struck.append(found)
            tell(found)
            if found.failed:
                with contextlib.suppress(TimeoutError):
                    await _recovered(watch, time.monotonic(), AT_LAST_S)
                break
    return struck


async def _strike(one: Fault, stage: Stage, load: Load, chance: Random, watch: _Watch, within_s: float) -> Struck:
    found = Struck(fault=one.name, at_s=load.now_s())
    watch.last.clear()
    lifted = time.monotonic()
    try:
        await one.strike(stage, chance)
        lifted = time.monotonic()
        found.lifted_s = load.now_s()
        await _recovered(watch, lifted, within_s)
    except TimeoutError:
        found.failed = f"not right within {within_s:g} s: {'; '.join(watch.why + watch.wrong)}"
    except AssertionError as exc:
        found.failed = str(exc)  # such as that it did not end well
    found.waited_for = "; ".join(watch.last.values())
    found.load_average = os.getloadavg()[0]
    found.boards_s = max(0.0, watch.boards - lifted)
    found.ready_s = max(0.0, watch.services - lifted)
    return found


async def _recovered(watch: _Watch, since: float, within_s: float) -> None:
    """Until all has been right for a while. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while min(watch.asked, time.monotonic() - CALM_S) < max(watch.boards, watch.services, since):
            await asyncio.sleep(_LOOK_S)
