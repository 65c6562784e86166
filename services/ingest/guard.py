"""Keeps an adapter's fault from spoiling its state: after an unexpected exception the state is as it was before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from services.ingest.adapters.base import Adapter, Clocked
from shared.errors import FloorwatchError, InvalidInput
from shared.events import Event
from shared.raw import Raw

# Dumping before each record would cost more than translating it. So the last dump is kept with the records since:
# at 1024, a large floor (5000 records a second) dumps five times a second, and a fault costs about 20 ms once.
JOURNAL_LENGTH = 1024


class AdapterFault(FloorwatchError):
    """An adapter raised what it should not; a fault of ours."""


class GuardedAdapter:
    """An adapter with its last dump and the records since then."""

    def __init__(self, make: Callable[[], Adapter]) -> None:
        self._make = make
        self.adapter = make()
        self._clocked = isinstance(self.adapter, Clocked)
        self._saved = self.adapter.dump()
        self._since: list[Raw] = []

    def feed(self, raw: Raw) -> list[Event]:
        """As the adapter's. Raises InvalidInput, or AdapterFault for any other exception."""
        try:
            events = self.adapter.feed(raw)
        except InvalidInput:
            raise
        except Exception as exc:
            self._restore()
            raise AdapterFault(f"{type(exc).__name__}: {exc}") from exc
        self._since.append(raw)
        if len(self._since) >= JOURNAL_LENGTH:
            self._save()
        return events

    @property
    def stamp(self) -> datetime | None:
        """What the switch's clock showed in the record fed last; None when it did not say."""
        return self.adapter.stamp if self._clocked else None  # type: ignore[attr-defined]  # asked once, for every record

    def clock_jumped(self, by: timedelta, since: datetime) -> None:
        """As the adapter's, where it has a clock."""
        if isinstance(self.adapter, Clocked):
            self.adapter.clock_jumped(by, since)
            self._save()  # the journal holds records, and this is none

    def dump(self) -> bytes:
        """The adapter's state, for the checkpoint."""
        self._save()
        return self._saved

    def load(self, state: bytes) -> None:
        """Replace the adapter's state by what `dump` gave."""
        self.adapter = self._make()
        self.adapter.load(state)
        self._saved = state
        self._since.clear()

    def _save(self) -> None:
        self._saved = self.adapter.dump()
        self._since.clear()

    def _restore(self) -> None:
        since = self._since.copy()
        self.load(self._saved)
        for raw in since:
            self.adapter.feed(raw)
        self._save()  # a run of bad records restores from here, without the journal
