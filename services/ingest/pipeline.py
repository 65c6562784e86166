"""The ingest machine: raw records in, canonical events out. Pure. What it refuses, the pump writes to the dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

import msgspec
from msgspec import Struct

from services.ingest.adapters.generic import GenericAdapter
from services.ingest.adapters.registry import ADAPTERS, MakeAdapter
from services.ingest.guard import AdapterFault, GuardedAdapter
from services.ingest.links import read_link
from services.ingest.marks import SiteClock
from services.ingest.sequence import SequenceCheck
from shared.envelope import Data, beyond
from shared.errors import InvalidInput
from shared.events import Event, LinkUp
from shared.raw import LARGEST_SEQ, Raw
from shared.siteconfig import Sites

# Headers come from outside; without a limit a producer that puts a random word into `site` would fill the memory.
SOURCES_LIMIT = 1000

# More than any time zone that was left out or put in twice.
MOST_AHEAD = timedelta(days=1)


class Source(Struct, kw_only=True):
    """What arrived from one connector of a site. Counts only grow."""

    site: str
    vendor: str
    connector: str
    session: str = ""
    received: int = 0
    heartbeats: int = 0
    duplicates: int = 0  # records and, within them, events
    records_twice: int = 0
    gaps: int = 0
    lost: int = 0  # records missing in the gaps
    invalid: int = 0
    last_received: datetime | None = None
    last_switch_time: datetime | None = None

    def outcomes(self) -> dict[str, int]:
        """What became of the records; `duplicates` may hold events within records too, so they are kept apart."""
        refused = self.heartbeats + self.records_twice + self.invalid
        return {
            "accepted": self.received - refused,
            "heartbeat": self.heartbeats,
            "duplicate": self.records_twice,
            "invalid": self.invalid,
        }


class _State(Struct):
    sources: list[Source]
    adapters: dict[str, bytes]
    clocks: dict[str, bytes]
    sequence: bytes


class IngestMachine:
    """Everything ingest knows of its partition of `switch.raw`."""

    def __init__(
        self,
        sites: Sites,
        adapters: Mapping[str, MakeAdapter] = ADAPTERS,
        *,
        window_s: float = 60.0,
        mark_s: float = 0.05,
        idle_mark_s: float = 1.0,
    ) -> None:
        self._sites = sites
        self._make_adapter = adapters
        self._make_clock = partial(SiteClock, window_s=window_s, mark_s=mark_s, idle_mark_s=idle_mark_s)
        self._adapters: dict[tuple[str, str], GuardedAdapter] = {}
        self._sources: dict[tuple[str, str, str], Source] = {}
        self._sequence = SequenceCheck()
        self.clocks: dict[str, SiteClock] = {}

    @property
    def sources(self) -> list[Source]:
        """All sources heard of, by site, vendor and connector."""
        return [self._sources[key] for key in sorted(self._sources)]

    def apply(self, raw: Raw) -> list[Event]:
        """The events that `raw` makes true; none for what was seen before.

        Raises InvalidInput: `unknown_vendor`, `too_many_sources`, those of the adapters, and `internal_error` for a fault
        in an adapter. Only the counts have changed then.
        """
        source = self._source(raw)
        source.received += 1
        source.session = raw.session
        source.last_received = raw.received
        verdict = self._sequence.check(raw.site, raw.connector, raw.session, raw.seq)
        if verdict.duplicate:
            source.duplicates += 1
            source.records_twice += 1
            return []
        if verdict.missed:
            source.gaps += 1
            source.lost = min(source.lost + verdict.missed, LARGEST_SEQ)
        try:
            return self._translate(raw, source)
        except InvalidInput:
            source.invalid += 1
            raise
        except AdapterFault as exc:
            source.invalid += 1
            message = f"the {raw.vendor} adapter failed, a fault of Floorwatch: {exc}"
            raise InvalidInput("internal_error", message) from exc

    def tick(self, now: datetime) -> list[Event]:
        """Nothing: what ingest says depends on its input alone."""
        return []

    def next_deadline(self) -> datetime | None:
        """Never."""
        return None

    def dump(self) -> bytes:
        """The whole state, for the checkpoint."""
        return msgspec.msgpack.encode(
            _State(
                sources=list(self._sources.values()),
                adapters={"\0".join(key): guarded.dump() for key, guarded in self._adapters.items()},
                clocks={site: clock.dump() for site, clock in self.clocks.items()},
                sequence=self._sequence.dump(),
            )
        )

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave. The state of an adapter that no longer exists is let go."""
        loaded = msgspec.msgpack.decode(state, type=_State)
        self._sources = {(s.site, s.vendor, s.connector): s for s in loaded.sources}
        self._sequence.load(loaded.sequence)
        self._adapters.clear()
        for key, dumped in loaded.adapters.items():
            site, vendor = key.split("\0")
            if vendor in self._make_adapter:
                self._adapter(site, vendor).load(dumped)
        self.clocks.clear()
        for site, dumped in loaded.clocks.items():
            self._clock(site).load(dumped)

    def _translate(self, raw: Raw, source: Source) -> list[Event]:
        clock = self._clock(raw.site)
        clock.heard(raw.connector, raw.received)
        events = read_link(raw) if raw.kind == "link" else self._feed(raw, source)
        if raw.kind == "link" and self._is_heartbeat(clock, raw, events[0].data):
            source.heartbeats += 1
            return []
        self._check_times(clock, raw, events)
        events = self._placed(clock, raw, events)
        for event in events:
            clock.observe(event, raw.session)
            source.last_switch_time = event.time
        return events

    def _placed(self, clock: SiteClock, raw: Raw, events: list[Event]) -> list[Event]:
        """The events on the switch's clock; where it was found to be set, the adapters of the site are told."""
        own = self._adapters.get((raw.site, raw.vendor)) if raw.kind == "event" else None

        def on_jump(by: timedelta, since: datetime) -> None:
            for (site, _), guarded in self._adapters.items():
                if site == raw.site:
                    guarded.clock_jumped(by, since)

        return clock.place(raw, events, own.stamp if own is not None else None, on_jump)

    @staticmethod
    def _check_times(clock: SiteClock, raw: Raw, events: list[Event]) -> None:
        """One stamp of next year would end every timer of the site, and no later mark could take it back. Times near the
        ends of the calendar would leave it as the clock goes on, and with them the marks."""
        for event in events:
            if why := beyond(event.time):
                raise InvalidInput("time_out_of_range", f"$.time: {why}")
        if clock.made_up:
            return
        for event in events:
            if event.time - raw.received > MOST_AHEAD and not isinstance(event.data, LinkUp):
                raise InvalidInput(
                    "time_out_of_range",
                    f"$.time: {event.time.isoformat()} is more than {MOST_AHEAD.days} day ahead of our clock"
                    f" ({raw.received.isoformat()}); a switch's clock may be off, but not that far",
                )

    @staticmethod
    def _is_heartbeat(clock: SiteClock, raw: Raw, data: Data) -> bool:
        return (
            isinstance(data, LinkUp)
            and data.connector == raw.connector
            and clock.is_heartbeat(raw.connector, raw.session, data)
        )

    def _feed(self, raw: Raw, source: Source) -> list[Event]:
        guarded = self._adapter(raw.site, raw.vendor)
        adapter = guarded.adapter
        if not isinstance(adapter, GenericAdapter):
            return guarded.feed(raw)
        # this vendor's records may be numbered inside, so its adapter counts too
        before = (adapter.duplicates, adapter.gaps, adapter.lost)
        events = guarded.feed(raw)
        source.duplicates += adapter.duplicates - before[0]
        source.gaps += adapter.gaps - before[1]
        source.lost = min(source.lost + adapter.lost - before[2], LARGEST_SEQ)
        return events

    def _source(self, raw: Raw) -> Source:
        key = (raw.site, raw.vendor, raw.connector)
        found = self._sources.get(key)
        if found is not None:
            return found
        if raw.vendor not in self._make_adapter:
            known = ", ".join(sorted(self._make_adapter))
            raise InvalidInput(
                "unknown_vendor", f"header vendor: {raw.vendor[:80]!r} has no adapter; there are {known}"
            )
        if "\0" in raw.site + raw.vendor + raw.connector:
            raise InvalidInput("bad_headers", "a header holds a zero byte")
        if len(self._sources) >= SOURCES_LIMIT:
            raise InvalidInput(
                "too_many_sources",
                f"{SOURCES_LIMIT} sources are known already; site {raw.site[:80]!r}, connector {raw.connector[:80]!r} is new",
            )
        found = self._sources[key] = Source(site=raw.site, vendor=raw.vendor, connector=raw.connector)
        return found

    def _adapter(self, site: str, vendor: str) -> GuardedAdapter:
        found = self._adapters.get((site, vendor))
        if found is None:
            make = partial(self._make_adapter[vendor], site, self._sites.site(site))
            found = self._adapters[site, vendor] = GuardedAdapter(make)
        return found

    def _clock(self, site: str) -> SiteClock:
        found = self.clocks.get(site)
        if found is None:
            found = self.clocks[site] = self._make_clock(site)
        return found
