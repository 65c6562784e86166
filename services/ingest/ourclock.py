"""Our own clock when it is set ahead, as a time server does to one that was behind: by itself it would tell too much."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from services.ingest.marks import SiteClock
from shared.clock import Clock

LEAST_S: Final = 0.2  # a time server lets smaller differences run out
LONGEST_S: Final = 60.0  # the window of the estimate: whatever fits or does not has been seen by then


class _Set(NamedTuple):
    """When, by our new clock and by monotonic seconds, and by how much."""

    at: datetime
    at_s: float
    by_s: float


class OurClock:
    """What the wall clock would show had it not been set ahead, until a site's records say what that means for it.

    Either they were received by the same clock, and the estimate of the switch's moves; or time did pass, as for a machine that
    was suspended, and they fit as ever.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: tuple[datetime, float] | None = None
        self._set: dict[str, _Set] = {}

    def look(self, sites: Mapping[str, SiteClock]) -> None:
        """To be called some times a second."""
        wall, now = self._clock.now(), self._clock.monotonic()
        if self._last is not None:
            by_s = (wall - self._last[0]).total_seconds() - (now - self._last[1])
            if by_s > LEAST_S:
                for site in tuple(sites):
                    before = self._set.get(site)
                    self._set[site] = _Set(wall, now, by_s + (before.by_s if before is not None else 0.0))
        self._last = wall, now

    def wall(self, site: str, site_clock: SiteClock, wall: datetime) -> datetime:
        """`wall` as this site's marks may count by it."""
        found = self._set.get(site)
        if found is None:
            return wall
        if self._clock.monotonic() - found.at_s > LONGEST_S or site_clock.bears_out(found.at, found.by_s):
            del self._set[site]
            return wall
        return wall - timedelta(seconds=found.by_s)
