"""When flags were raised: marks on the time line, so that one finds the moments worth a look."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Final

from msgspec import Struct

from services.monitor.rewind.reading import between
from shared.bus import Bus, Partition, Record
from shared.codec import decode_fact
from shared.errors import InvalidInput
from shared.facts import FlagRaised, Severity
from shared.topics import FLOOR_FLAGS

_LOOK: Final = 5000  # records, from the end
_KEPT: Final = 5000  # flags of all sites
_TOLD: Final = 500


class RaisedFlag(Struct, frozen=True):
    """A flag, when it was raised by the site's clock, and what it said."""

    at: datetime
    severity: Severity
    summary_en: str
    summary_zh: str


class RaisedFlags:
    """The newest of `floor.flags`, each once though replicas raise it several times."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._next: dict[Partition, int] = {}
        self._flags: OrderedDict[tuple[str, str], RaisedFlag] = OrderedDict()

    async def of(self, site: str, since: datetime) -> list[RaisedFlag]:
        """Those of `site` since then, at most the newest 500, in order. Raises BusError."""
        await self._read()
        found = [flag for (of, _), flag in self._flags.items() if of == site and flag.at >= since]
        return sorted(found, key=lambda flag: flag.at)[-_TOLD:]

    async def _read(self) -> None:
        reader = await self._bus.read([FLOOR_FLAGS])
        try:
            bounds = await reader.bounds()
            upper = {place: end for place, (_, end) in bounds.items()}
            lower = {}
            for place, (first, end) in bounds.items():
                known = self._next.get(place, 0)
                lower[place] = max(first, end - _LOOK, known if known <= end else 0)
            async for records in between(reader, lower, upper):
                for record in records:
                    self._take(record)
            self._next = upper
        finally:
            await reader.close()

    def _take(self, record: Record) -> None:
        try:
            fact = decode_fact(record.value)
        except InvalidInput:
            return  # whoever wrote it, it marks no moment
        if not isinstance(fact.data, FlagRaised):
            return
        data = fact.data
        flag = RaisedFlag(fact.time, data.severity, data.summary_en, data.summary_zh)
        self._flags[fact.site, data.flag_id] = flag
        while len(self._flags) > _KEPT:
            self._flags.popitem(last=False)
