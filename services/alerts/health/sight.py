"""What there is to see of sites on the broker: events, what monitors say of how far they have read, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from services.alerts.core.sitehealth import Health
from services.alerts.health.tail import Tail
from shared.bus import Bus, Record
from shared.checkpoint import progress_of
from shared.clock import Clock
from shared.topics import FLOOR_CHECKPOINTS, FLOOR_EVENTS, SWITCH_DEAD_LETTER

MONITOR: Final = "monitor"  # what the names of monitors' checkpoints begin with
CHECKPOINTS_EVERY: Final = 5  # looks: monitors write one every 5 s
THOROUGH_OF: Final = (2, 10)  # so many looks of so many read everything: who is quiet beside a busy site is seen then


class Sight:
    """Looks, and tells a `Health`. `open` raises BusError, and so does `look`; then `close`."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._clock = clock
        self._events = Tail(bus, FLOOR_EVENTS, most=500, kept=200, back=2000)
        self._checkpoints = Tail(bus, FLOOR_CHECKPOINTS, most=16, kept=8, back=32)
        self._letters = Tail(bus, SWITCH_DEAD_LETTER, most=2000, kept=1000, back=2000)
        self._looks = 0

    async def open(self) -> None:
        for tail in (self._events, self._checkpoints, self._letters):
            await tail.open()

    async def close(self) -> None:
        for tail in (self._events, self._checkpoints, self._letters):
            await tail.close()

    async def look(self, health: Health) -> None:
        """Tell `health` what there is since the last look."""
        few, of = THOROUGH_OF
        since = self._clock.now()  # what comes from now on may be seen by the next look only
        thorough = self._looks % of < few or health.overdue(since)
        events, letters, checkpoints = await asyncio.gather(
            self._events.look(thorough=thorough), self._letters.look(), self._checkpoints_now()
        )
        self._tell_events(health, events)
        self._tell_letters(health, letters)
        await self._tell_progress(health, checkpoints)
        self._looks += 1
        health.looked(since)

    async def _checkpoints_now(self) -> list[Record]:
        return [] if self._looks % CHECKPOINTS_EVERY else await self._checkpoints.look()

    def _tell_events(self, health: Health, records: Iterable[Record]) -> None:
        """Of each site the newest is enough."""
        newest = {(record.key, record.partition): record for record in records}
        now = self._clock.now()
        for (key, partition), record in sorted(newest.items(), key=lambda found: found[1].offset):
            health.heard(key.decode(errors="replace"), partition, record.offset, record.written, now)

    def _tell_letters(self, health: Health, records: Iterable[Record]) -> None:
        now = self._clock.now()
        for record in records:
            headers = {name: value.decode(errors="replace") for name, value in record.headers}
            place = "/".join(headers.get(name, "") for name in ("topic", "partition", "offset"))
            if place == "//":
                place = f"{record.partition}/{record.offset}"
            site = record.key.decode(errors="replace")
            health.letter(site, place, headers.get("reason", "unknown"), record.written, now)

    async def _tell_progress(self, health: Health, records: Iterable[Record]) -> None:
        for record in records:
            machine, offsets = progress_of(record) or ("", {})
            for place, offset in offsets.items():
                end = self._events.ends.get(place)
                if not machine.startswith(MONITOR) or end is None or offset > end:
                    continue  # of another machine, or of a log that is no more
                unread = None
                if offset < end and not health.remembers(place[1], offset):
                    found = await self._events.stamped(place, offset)
                    unread = None if found is None else found.written
                health.progress(place[1], offset, record.written, unread)
