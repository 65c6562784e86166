"""The task that writes clock marks into `floor.events`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

import structlog

from services.ingest.marks import SiteClock
from shared import topics
from shared.bus import Bus
from shared.clock import Clock
from shared.codec import encode
from shared.errors import BusError
from shared.pumpstatus import PumpStatus

log = structlog.get_logger()

RETRY_S = 1.0


class Marker:
    """Writes each site's marks at the site's own pace, with a bus of its own.

    No mark runs ahead of what the pump has published: a mark says "up to here you know all". While the pump replays
    there are none; while it is behind, they are behind.
    """

    def __init__(
        self, bus: Bus, clock: Clock, clocks: Mapping[str, SiteClock], status: PumpStatus, *, mark_s: float
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._clocks = clocks
        self._status = status
        self._mark_s = mark_s
        self._last: dict[str, float] = {}  # by site: when its last mark was due, monotonic seconds
        self.written = 0

    async def run(self) -> None:
        """Write marks for ever. A lost broker is waited for: marks tell the time, those missed are of no use."""
        while True:
            try:
                await self.step()
            except BusError as exc:
                log.warning("marks cannot be written", why=str(exc), retry_in_s=RETRY_S)
                await self._clock.sleep(RETRY_S)
            await self._clock.sleep(self._mark_s)

    async def step(self) -> None:
        """Write the marks that are due."""
        if not self._status.ready:
            return
        now = self._clock.monotonic()
        wall = self._clock.now() - timedelta(seconds=self._status.behind_s)
        for site, site_clock in tuple(self._clocks.items()):
            # half a grain of tolerance, or the loop's own period would skip every other mark
            due = self._last.get(site, -math.inf) + site_clock.interval_s(wall) - self._mark_s / 2
            if now < due:
                continue
            self._last[site] = now
            mark = site_clock.mark(wall)
            if mark is not None:
                await self._bus.publish(topics.FLOOR_EVENTS, encode(mark), key=site)
                self.written += 1
