"""Reports on their way to `listen.reports`, in the order in which they were made."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import structlog

from services.monitor.listen.contract import ListenerHeard, Report, report
from shared import topics
from shared.backoff import Backoff
from shared.bus import Bus
from shared.clock import Clock
from shared.codec import encode
from shared.envelope import Data
from shared.errors import BusError

log = structlog.get_logger()

MOST: Final = 10_000  # that wait for a broker that is away
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 2.0


class Reporter:
    """Takes reports at once and writes them when it can. While the broker is away what is heard meanwhile is said less often."""

    def __init__(self, bus: Bus, clock: Clock, relay: str, run: str) -> None:
        self._bus = bus
        self._clock = clock
        self._source = f"/floorwatch/relay/{relay}"
        self._run = run
        self._number = 0
        self._waiting: deque[Report] = deque()
        self._some = asyncio.Event()
        self.dropped = 0
        self.written = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def say(self, site: str, data: Data) -> None:
        """Report it."""
        if len(self._waiting) >= MOST:
            self._make_room()
        self._number += 1
        made = report(data, id=f"{self._run}-{self._number}", source=self._source, site=site, time=self._clock.now())
        self._waiting.append(made)
        self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        while True:
            await self._some.wait()
            try:
                await self.flush()
                backoff.worked()
            except BusError as exc:
                log.warning("reports wait for the broker", why=str(exc), waiting=len(self._waiting))
                await self._clock.sleep(backoff.next_s())

    async def flush(self) -> None:
        """Write what waits. Raises BusError: it is written again then, and has the same id."""
        self._some.clear()
        batch = list(self._waiting)
        if not batch:
            return
        try:
            for one in batch:
                await self._bus.publish(topics.LISTEN_REPORTS, encode(one), key=one.site)
            await self._bus.flush()
        except BusError:
            self._some.set()
            raise
        for one in batch:
            if self._waiting and self._waiting[0] is one:  # else it was dropped meanwhile
                self._waiting.popleft()
        self.written += len(batch)

    def _make_room(self) -> None:
        """The oldest of those that a later one makes good goes first."""
        for place, one in enumerate(self._waiting):
            if isinstance(one.data, ListenerHeard):
                del self._waiting[place]
                break
        else:
            self._waiting.popleft()
        self.dropped += 1
