"""The only place that asks for the wall clock.

Shells take a `Clock`; pure machines take `now` as an argument. `FakeClock` lets tests move time by hand.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROUNDED_S = 6e-7  # a little more than half of the microsecond in which a datetime counts


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC, for stamps that people read."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, for durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`; a negative value returns at the next turn of the loop."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class FakeClock:
    """Time that moves only when told. `await advance(35)` wakes sleepers at 10, 20 and 30 in that order."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + max(0.0, seconds), next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, waking every sleeper due on the way at its own time."""
        target = self._elapsed + seconds
        await _settle()
        # whoever sleeps until a time of day counts in whole microseconds, and may mean this very one
        while self._sleepers and self._sleepers[0][0] <= target + _ROUNDED_S:
            due, _, wake = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not wake.done():
                wake.set_result(None)
            await _settle()
        self._elapsed = max(self._elapsed, target)
        await _settle()

    def set_by(self, seconds: float) -> None:
        """Somebody sets the wall clock, back where `seconds` is negative; monotonic time goes on."""
        self._start += timedelta(seconds=seconds)

    def pause(self, seconds: float) -> None:
        """Time passes in which nobody has a turn, as when the process is stopped; sleepers then wake late."""
        self._elapsed += seconds


async def _settle(turns: int = 20) -> None:
    """Let tasks that became runnable run; 20 turns is deeper than any chain of awaits in a shell here."""
    for _ in range(turns):
        await asyncio.sleep(0)


def from_epoch(seconds: float) -> datetime:
    """Aware UTC from epoch seconds, exact to the microsecond."""
    return EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
