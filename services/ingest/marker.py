"""The task that writes clock marks into `floor.events`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from services.ingest.holdback import MOST_S, HoldBack
from services.ingest.marks import SILENCE_S, SiteClock
from services.ingest.ourclock import OurClock
from services.ingest.silence import Silences
from shared import topics
from shared.backoff import Backoff
from shared.bus import Bus
from shared.clock import EPOCH, Clock
from shared.codec import encode
from shared.errors import BusError
from shared.events import Event
from shared.pumpstatus import PumpStatus

log = structlog.get_logger()

RETRY_S = 1.0
PAUSE_S = 0.5  # later than this, the process was paused, and what arrived meanwhile has not been looked at
CUT_OFF_S = 2.0  # longer than this without an answer, and connectors have been without the broker, too
LATE_S = 0.015  # later than the pump's stretches make us, so that what arrived meanwhile is read first
READS_S = 0.01  # what that takes
_TRIES = 5  # to get a turn in time, before a mark is written that says less

# Together the sites get so many marks a second; each at least every COARSEST_S, however many they are.
MARKS_A_SECOND = 1000
COARSEST_S = 0.05


def grain_s(sites: int, finest_s: float) -> float:
    """Seconds between two marks of a lively site: `finest_s`, with many sites up to COARSEST_S where that is longer."""
    return max(finest_s, min(COARSEST_S, sites / MARKS_A_SECOND))


class Marker:
    """Writes each site's marks at the site's own pace, with a bus of its own. `unsent_s` is how long the oldest event of the
    pump has been on its way to the broker, `unheard_s` for how long the pump's reader knows of nothing that was written, and
    `cut_off_s` for how long because no answer comes that is not its own wait.

    No mark runs ahead of what the pump has published: a mark says "up to here you know all". While the pump replays
    there are none; while it or its broker is behind, they are behind; when the process did not get its turn in time they
    wait until it has read what came meanwhile.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        clocks: Mapping[str, SiteClock],
        status: PumpStatus,
        *,
        mark_s: float,
        unsent_s: Callable[[], float] = lambda: 0.0,
        unheard_s: Callable[[], float] = lambda: 0.0,
        cut_off_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._clocks = clocks
        self._status = status
        self._mark_s = mark_s
        self._unsent_s = unsent_s
        self._unheard_s = unheard_s
        self._cut_off_s = cut_off_s
        self._heard_again: datetime | None = None  # a moment before the broker answered again that had not for long
        self._ours = OurClock(clock)
        self._last: dict[str, float] = {}  # by site: when its last mark was due, monotonic seconds
        self._silences: dict[str, Silences] = {}
        self._holds: dict[str, HoldBack] = {}
        self._resumed = -math.inf
        self._due = math.inf  # when our next turn is
        self._stopped = (-math.inf, 0.0)  # when the process last got its turn late, and by how much
        self.written = 0

    def arrived(self, found: Iterable[Event]) -> None:
        """The pump has applied these. How late they came tells how far marks must be held back.

        What of it this process was late for its own turn does not count: there was no mark in that time.
        """
        oldest: dict[str, datetime] = {}
        count: dict[str, int] = {}
        for event in found if self._status.ready else ():
            site = event.site
            known = oldest.get(site)
            oldest[site] = event.time if known is None else min(known, event.time)
            count[site] = count.get(site, 0) + 1
        wall, now = self._clock.now(), self._clock.monotonic()
        ours_s = self._late_s(now)
        for site, time in oldest.items():
            lag_s = self._clocks[site].lag_s(time, wall)
            if lag_s is not None:
                self._holds.setdefault(site, HoldBack()).arrived(max(0.0, lag_s - ours_s), count[site], now)

    def _late_s(self, now: float) -> float:
        """How late this process is for its turn now, or was until a moment ago."""
        stopped_at, late_s = self._stopped
        lately = late_s if now - stopped_at < 2 * READS_S else 0.0
        return max(0.0, now - self._due, lately)

    def hold_back_s(self, site: str) -> float:
        """How far this site's marks are held back now."""
        found = self._holds.get(site)
        return MOST_S if found is None else found.seconds(self._clock.monotonic())

    async def run(self) -> None:
        """Write marks for ever. A lost broker is waited for: marks tell the time, those missed are of no use."""
        pause_s, backoff = 0.0, Backoff(RETRY_S)
        while True:
            late_s = await self._wait(pause_s)
            pause_s = grain_s(len(self._clocks), self._mark_s)
            try:
                await self.step(late_s)
            except BusError as exc:
                wait_s = backoff.next_s()
                log.warning("marks cannot be written", why=str(exc), retry_in_s=round(wait_s, 2))
                pause_s += wait_s

    async def _wait(self, pause_s: float) -> float:
        """Wait so long; then until the process has got its turn in time, so that the pump has read what came meanwhile.

        Seconds of which that is not certain; 0 mostly.
        """
        began = now = self._clock.monotonic()
        for _ in range(_TRIES):
            began, self._due = now, now + pause_s
            await self._clock.sleep(pause_s)
            now = self._clock.monotonic()
            late_s, self._due = now - self._due, math.inf
            if late_s <= LATE_S:
                return 0.0
            self._stopped = (now, late_s)
            if late_s > PAUSE_S:
                log.warning("this process was paused; marks wait until the events of that time are read", late_s=late_s)
                self._resumed = now
            pause_s = READS_S
        return now - began

    async def step(self, late_s: float = 0.0) -> None:
        """Write the marks that are due; they say nothing of the last `late_s` seconds."""
        self._ours.look(self._clocks)
        if self._cut_off_s() > CUT_OFF_S:
            self._heard_again = self._clock.now()
        if not self._status.ready or self._status.turned < self._resumed:
            return
        now = self._clock.monotonic()
        behind_s = max(self._status.behind_s, self._unsent_s(), self._unheard_s(), late_s)
        if math.isinf(behind_s):
            return
        now_there, grain = self._clock.now() - timedelta(seconds=behind_s), grain_s(len(self._clocks), self._mark_s)
        for site, site_clock in tuple(self._clocks.items()):
            if not self._has_spoken(site_clock):
                continue
            wall = self._ours.wall(site, site_clock, now_there)
            await self._tell_silences(site, site_clock, wall)
            # half a grain of tolerance, or the loop's own period would skip every other mark
            due = self._last.get(site, -math.inf) + max(site_clock.interval_s(wall), grain) - grain / 2
            if now < due:
                continue
            self._last[site] = now
            mark = site_clock.mark(wall, self.hold_back_s(site))
            if mark is not None:
                await self._bus.publish(topics.FLOOR_EVENTS, encode(mark), key=site)
                self.written += 1

    async def _tell_silences(self, site: str, site_clock: SiteClock, wall: datetime) -> None:
        """Say which connectors fell silent, or are heard again; noted only when the broker has it."""
        silences = self._silences.get(site)
        if silences is None:
            silences = self._silences[site] = Silences()
        for news in silences.news(site_clock, wall):
            await self._bus.publish(topics.FLOOR_EVENTS, encode(news.event), key=site)
            await self._bus.flush()
            silences.said(news)
            if news.silent:
                log.warning("a connector fell silent", site=site, connector=news.connector)

    def _has_spoken(self, site_clock: SiteClock) -> bool:
        """Whether the site's connectors have said something that they heard since the broker came back: the pump found it again,
        or it answers as before, and our client had it back by itself.

        While it was away they kept what they heard, and hand it over in its order: until then there is more to come, which
        a mark would overtake. One that says nothing for so long that it would count as silent is not waited for.
        """
        back = max((at for at in (self._status.broker_back, self._heard_again) if at is not None), default=None)
        if back is None or (self._clock.now() - back).total_seconds() > SILENCE_S:
            return True
        micros = (back - EPOCH) // timedelta(microseconds=1)
        return all(link.heard >= micros for link in site_clock.links.values() if link.up)
