"""One stretch of a site's past: an entry's state, and the log from there on, as far as it was read.

Within it every moment is worked out from memory: ahead of the last one by applying what lies between, behind it from the
entry's state on. The order is the log's, up to the first record that takes the site's clock beyond the moment. So where a clock
was set back, the moments that came twice are shown as they came after the entry nearest to them, which is written when the clock
was set: as they came the second time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec
import structlog

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rewind.records import Entry
from shared.bus import Partition, Record
from shared.codec import decode_event
from shared.collector import resting
from shared.errors import InvalidInput
from shared.events import Event
from shared.siteconfig import Sites

log = structlog.get_logger()

_MOST_BYTES: Final = 256_000_000


class TooMuch(Exception):
    """More happened since the entry than a rewind may hold."""


class Stretch:
    """The floor of one site from `entry` on. `read_to`: the next record of the log that it has not been given."""

    def __init__(self, entry: Entry, state: bytes, sites: Sites, rules: RuleBook) -> None:
        """Raises msgspec.ValidationError and others for the state of another version."""
        self.entry = entry
        self.read_to: dict[Partition, int] = {(topic, number): offset for topic, number, offset in entry.offsets}
        self._sites = sites
        self._rules = rules
        self._key = entry.site.encode()
        self._state = msgspec.msgpack.encode({entry.site: msgspec.Raw(state)})
        self._log: list[bytes] = []
        self._bytes = 0
        self._applied = 0
        self._broken: set[int] = set()
        self.seen = entry.time  # about how far what was read goes
        self.home: Partition | None = None  # the partition that tells of this site, once a record said so
        self._engine = self._load()

    def add(self, records: Iterable[Record]) -> None:
        """What the log says next, records of other sites included. Raises TooMuch."""
        for record in records:
            place = (record.topic, record.partition)
            self.read_to[place] = max(record.offset + 1, self.read_to.get(place, 0))
            if record.key == self._key:
                self.home = place
                self._log.append(record.value)
                self._bytes += len(record.value)
        if self._log and (last := self._decoded(self._log[-1])) is not None:
            self.seen = last.time
        if self._bytes > _MOST_BYTES:
            raise TooMuch

    def move_to(self, moment: datetime) -> bool:
        """Bring the floor to `moment`; False when the log that was read does not go so far."""
        now = self.now
        if now is not None and now > moment:
            self._begin_again()
        while self._applied < len(self._log):
            if self._applied not in self._broken and not self._step(moment):
                return True
            self._applied += 1
        return False

    def reaches(self, moment: datetime) -> bool:
        """Whether `moment` can be shown from what was read."""
        return self.entry.time <= moment and self.move_to(moment)

    @property
    def engine(self) -> Engine:
        """The floor as it is at the last moment asked for."""
        return self._engine

    @property
    def now(self) -> datetime | None:
        """The site's clock there."""
        return self._engine.clocks().get(self.entry.site, (None, 1.0))[0]

    def _step(self, moment: datetime) -> bool:
        """Apply the next record; False when it is beyond `moment`."""
        event = self._decoded(self._log[self._applied])
        if event is None:
            return True
        if self._engine.passes(event, moment):
            return False
        try:
            self._engine.apply(event)
        except InvalidInput:
            pass
        except Exception:  # noqa: BLE001  (the monitor went on without such a record, and so does its picture)
            log.warning("a record broke the engine and is left out", event_id=event.id)
            self._broken.add(self._applied)
            self._begin_again()
            self._applied = -1  # the caller counts on
        return True

    def _decoded(self, value: bytes) -> Event | None:
        try:
            return decode_event(value)
        except InvalidInput:
            return None

    def _begin_again(self) -> None:
        self._engine, self._applied = self._load(), 0

    def _load(self) -> Engine:
        engine = Engine(self._sites, self._rules)
        with resting():
            engine.load(self._state)
        return engine
