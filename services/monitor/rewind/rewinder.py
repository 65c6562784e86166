"""Shows a site's floor as of a moment, from `floor.history` and `floor.events`. Runs in the worker's process."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rewind.index import HistoryIndex
from services.monitor.rewind.raised import RaisedFlags
from services.monitor.rewind.reading import between
from services.monitor.rewind.records import Entry
from services.monitor.rewind.stretch import Stretch, TooMuch
from shared.bus import Bus, Reader
from shared.errors import FloorwatchError
from shared.siteconfig import Sites
from shared.topics import FLOOR_EVENTS, FLOOR_HISTORY

log = structlog.get_logger()

_KEPT: Final = 2  # stretches, so that one may go back and forth over a border
_AHEAD: Final = timedelta(seconds=20)  # read with what was asked for: who plays asks for it next


class NotShown(FloorwatchError):
    """The moment cannot be shown. `status` is for HTTP: 409 (before `earliest`), 410, 503."""

    def __init__(self, status: int, why: str, earliest: datetime | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.earliest = earliest


class Rewinder:
    """Rewinds one site at a time. `sites` and `rules` are those of today."""

    def __init__(self, bus: Bus, sites: Sites, rules: RuleBook) -> None:
        self._bus = bus
        self._sites = sites
        self._rules = rules
        self.raised = RaisedFlags(bus)
        self._index = HistoryIndex(bus)
        self._stretches: list[Stretch] = []  # the one used last is the last
        self._prepared = False
        self._unusable: set[str] = set()  # entries of another version, or damaged

    async def earliest(self, site: str) -> datetime:
        """The first moment that can be shown. Raises NotShown, BusError."""
        await self._prepare()
        try:
            await self._index.refresh()
            oldest = await self._index.oldest(site)
            newest = await self._index.newest(site)
        finally:
            await self._index.close()
        if oldest is None or newest is None:
            raise NotShown(409, f"nothing of site {site} is kept yet; it will be within minutes")
        return oldest.time if oldest.lives == newest.lives else newest.time

    async def show(self, site: str, moment: datetime) -> Stretch:
        """The stretch, at `moment`. Raises NotShown, BusError."""
        for stretch in reversed(self._stretches):
            if self._is_nearest(stretch, site, moment) and stretch.reaches(moment):
                self._use(stretch)
                return stretch
        try:
            stretch = await self._nearest(site, moment)
            await self._extend(stretch, moment)
        except TooMuch:
            self._stretches.clear()
            raise NotShown(503, "too much happened between that moment and the state kept before it") from None
        finally:
            await self._index.close()
        self._use(stretch)
        return stretch

    async def _prepare(self) -> None:
        if not self._prepared:
            await self._bus.create([FLOOR_HISTORY, FLOOR_EVENTS])
            self._prepared = True

    def _is_nearest(self, stretch: Stretch, site: str, moment: datetime) -> bool:
        """Whether no entry that is known lies between `stretch` and `moment`."""
        if stretch.entry.site != site or stretch.entry.time > moment:
            return False
        between_them = (
            entry
            for entry in self._index.entries(site)
            if entry.reached > stretch.entry.reached and entry.time <= moment and entry.save not in self._unusable
        )
        return next(between_them, None) is None

    def _use(self, stretch: Stretch) -> None:
        others = [one for one in self._stretches if one is not stretch]
        self._stretches = [*others[1 - _KEPT :], stretch]

    async def _nearest(self, site: str, moment: datetime) -> Stretch:
        """The stretch that begins at the newest entry not after `moment`."""
        await self._prepare()
        await self._index.refresh()
        while True:
            for entry in await self._index.until(site, moment):
                known = next((one for one in self._stretches if one.entry.save == entry.save), None)
                if known is not None:
                    return known
                stretch = await self._load(entry)
                if stretch is not None:
                    return stretch
            if not await self._index.older():
                break
        oldest = await self._index.oldest(site)
        if oldest is None:
            raise NotShown(409, f"nothing of site {site} is kept yet; it will be within minutes")
        if oldest.time <= moment:
            raise NotShown(410, "what is kept of that time is of another version of this program")
        raise NotShown(409, f"the first moment kept is {oldest.time.isoformat()}", oldest.time)

    async def _load(self, entry: Entry) -> Stretch | None:
        if entry.save in self._unusable:
            return None
        state = await self._index.state(entry)
        why = "it is damaged"
        if state is not None:
            try:
                return Stretch(entry, state, self._sites, self._rules)
            except Exception as exc:  # noqa: BLE001  (the state of another version may fail anywhere)
                why = f"it is of another version: {type(exc).__name__}"
        self._unusable.add(entry.save)
        log.warning("history_passed_over", site=entry.site, time=entry.time.isoformat(), why=why)
        return None

    async def _extend(self, stretch: Stretch, moment: datetime) -> None:
        """Read on until the log goes beyond `moment`, or ends."""
        if stretch.reaches(moment):
            return
        partitions = [number for _, number in ([stretch.home] if stretch.home else stretch.read_to)]
        reader = await self._bus.read([FLOOR_EVENTS], partitions=partitions)
        try:
            await self._read_on(reader, stretch, moment)
        finally:
            await reader.close()
        stretch.move_to(moment)

    async def _read_on(self, reader: Reader, stretch: Stretch, moment: datetime) -> None:
        bounds = await reader.bounds()
        lower = {place: stretch.read_to[place] for place in bounds}
        if any(lower[place] < first for place, (first, _) in bounds.items()):
            raise NotShown(410, "the events after the state kept before that moment are no longer kept")
        if any(lower[place] > end for place, (_, end) in bounds.items()):
            raise NotShown(410, "the log of that time is gone: its topic was made anew")
        upper = {place: end for place, (_, end) in bounds.items()}
        async for records in between(reader, lower, upper, batch=5000):
            stretch.add(records)
            if stretch.seen > moment + _AHEAD and stretch.move_to(moment):
                return
