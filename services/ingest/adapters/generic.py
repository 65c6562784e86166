"""The adapter for our own documented events (docs/events.md): any switch, any language, `curl` included.

It translates nothing: it checks, moves times, drops what it has seen and counts what is missing. No wrap is invented
here, because a producer that speaks our language sends `wrap_started` itself.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from services.ingest.adapters.base import Emitter
from services.ingest.adapters.cloudevents import ACCEPTED, Incoming, Reader, in_utc, times_moved
from shared.errors import InvalidInput
from shared.events import Event
from shared.raw import LARGEST_SEQ, Raw
from shared.siteconfig import SiteConfig

# A producer that retries does so within seconds; 8192 events are 8 s of the largest real floor and 74 kB of checkpoint.
REMEMBERED_EVENTS = 8192
REMEMBERED_SOURCES = 256

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _State(Struct):
    """What the checkpoint holds; the oldest entries come first."""

    seen: dict[int, None] = {}
    sequences: dict[str, int] = {}
    duplicates: int = 0
    gaps: int = 0
    lost: int = 0


class GenericAdapter:
    """One site's adapter; `duplicates`, `gaps` and `lost` (events missing in the gaps) only grow."""

    def __init__(self, site: str, config: SiteConfig) -> None:
        self.site = site
        self._reader = Reader(ACCEPTED)
        self._state = _State()
        self._stamp: datetime | None = None

    @property
    def stamp(self) -> datetime | None:
        """The time of the newest event in the record fed last; None when there was none."""
        return self._stamp

    def clock_jumped(self, by: timedelta, since: datetime) -> None:
        """Nothing: no time is kept here."""

    @property
    def duplicates(self) -> int:
        """CloudEvents whose (`source`, `id`) had been seen lately, dropped."""
        return self._state.duplicates

    @property
    def gaps(self) -> int:
        """Jumps in a source's `sequence`."""
        return self._state.gaps

    @property
    def lost(self) -> int:
        """Events missing in those jumps."""
        return self._state.lost

    def feed(self, raw: Raw) -> list[Event]:
        """The events in `raw`, a CloudEvent or a batch, without those seen before.

        Raises InvalidInput: `not_json`, `unknown_type`, `invalid_event`, `wrong_site`, `time_out_of_range`. A batch
        with one bad event is refused whole, so that its producer can send it again whole.
        """
        self._stamp = None
        incoming = self._reader.read(raw.value)
        emitter = Emitter(raw)
        prepared = [self._prepare(one, raw) for one in incoming]
        for one, (time, data) in zip(incoming, prepared, strict=True):
            if self._is_new(one, raw.shift_s):
                emitter.emit(time, data, provenance=one.provenance, precision_ms=one.precisionms)
        self._stamp = max((event.time for event in emitter.events), default=None)
        return emitter.events

    def dump(self) -> bytes:
        """The whole state, for the checkpoint."""
        return msgspec.msgpack.encode(self._state)

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave."""
        self._state = msgspec.msgpack.decode(state, type=_State)

    def _prepare(self, one: Incoming, raw: Raw) -> tuple[Any, Any]:
        if one.site and one.site != self.site:
            raise InvalidInput("wrong_site", f"$.site: {one.site!r} in a record of site {self.site!r}")
        if one.time is None:
            raise InvalidInput("invalid_event", "$.time is missing")
        return in_utc(one.time, raw.shift_s), times_moved(one.data, raw.shift_s)

    def _is_new(self, one: Incoming, shift_s: float) -> bool:
        """A recording that is played again, moved to another time, happens again."""
        state = self._state
        name = f"{one.source}\0{one.id}\0{shift_s}"
        mark = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
        if mark in state.seen:
            state.duplicates += 1
            return False
        _remember(state.seen, mark, None, REMEMBERED_EVENTS)
        if one.sequence is not None:
            self._count_gap(one.source, int(one.sequence))
        return True

    def _count_gap(self, source: str, sequence: int) -> None:
        """A smaller number with a new id is a producer that started again, not a duplicate: `id` decides that."""
        last = self._state.sequences.get(source)
        if last is not None and sequence > last + 1:
            self._state.gaps += 1
            self._state.lost = min(self._state.lost + sequence - last - 1, LARGEST_SEQ)
        _remember(self._state.sequences, source, sequence, REMEMBERED_SOURCES)


def _remember(memory: dict[K, V], key: K, value: V, limit: int) -> None:
    """Put `key` last, forgetting the oldest entries beyond `limit`."""
    memory.pop(key, None)
    memory[key] = value
    while len(memory) > limit:
        del memory[next(iter(memory))]
