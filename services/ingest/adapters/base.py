"""What an adapter is: a pure state machine per site and vendor that turns a switch's words into canonical events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from shared import events
from shared.envelope import Data
from shared.events import Event, Provenance
from shared.raw import Raw


class Adapter(Protocol):
    """One per site. Its output depends on its input alone: no clock, no timer, no I/O."""

    def feed(self, raw: Raw) -> list[Event]:
        """The events that this raw record makes true, in order; often none.

        Raises InvalidInput when the record cannot be used; the state is then as it was before.
        """
        ...

    def dump(self) -> bytes:
        """The whole state, for the checkpoint."""
        ...

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave."""
        ...


@runtime_checkable
class Clocked(Protocol):
    """An adapter whose switch stamps what it says, so that a clock that was set can be noticed."""

    @property
    def stamp(self) -> datetime | None:
        """What the switch's clock showed in the record fed last (already shifted); None when it did not say."""
        ...

    def clock_jumped(self, by: timedelta, since: datetime) -> None:
        """The switch's clock was set by `by`; `since` is the first stamp of the new time. Times kept here move with it."""
        ...


class Emitter:
    """Builds the events of one raw record: position, id and source are the same for every vendor."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.events: list[Event] = []

    def emit(self, time: datetime, data: Data, *, provenance: Provenance = "observed", precision_ms: int = 0) -> None:
        """Add the event `data`, which happened at `time` by the switch's clock (already shifted)."""
        raw, index = self.raw, len(self.events)
        self.events.append(
            events.make(
                data,
                id=f"{raw.site}:{raw.partition}:{raw.offset}:{index}",
                source=f"/sites/{raw.site}/{raw.connector}",
                site=raw.site,
                time=time,
                receivedtime=raw.received,
                provenance=provenance,
                precisionms=precision_ms,
                rawpartition=raw.partition,
                rawoffset=raw.offset,
                rawindex=index,
            )
        )
