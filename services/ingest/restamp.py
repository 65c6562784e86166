"""Events whose stamps are of a clock that was set, or of none: put on the clock that they are told on. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from services.ingest.adapters.cloudevents import times_moved
from shared import events
from shared.clock import EPOCH
from shared.events import Event
from shared.raw import Raw

_MICROSECOND = timedelta(microseconds=1)

DOES_NOT_FIT: Final = "stamp_does_not_fit"

# kind -> meaning, of what is found before the monitor sees it; its own are in its core
KINDS: Final = MappingProxyType(
    {
        DOES_NOT_FIT: (
            "An event's time was not of its switch's clock. It was cut to that clock and is *inferred*. Found by ingest, which"
            " counts it in `ingest_restamped_total`, or by `floorwatch replay`; no evidence is kept."
        ),
    }
)


class Offset(NamedTuple):
    """What is doubted, in microseconds: the time that we expect, how far ahead of it a stamp may be, and by how much
    suspected stamps are off (0: none are)."""

    expected: int
    most_ahead: float
    gap: int


def on_old_clock(event: Event, offset: Offset) -> Event:
    """The event with a time that is possible: not ahead of what we expect, and not of the suspected clock.

    Not every time in a suspected record is the clock's: what began before it was set was noted by the old one.
    """
    time = (event.time - EPOCH) // _MICROSECOND
    ahead = time - offset.expected
    suspected = abs(ahead - offset.gap) < abs(ahead)
    if not suspected and ahead <= offset.most_ahead:
        return event
    moved_by = -offset.gap if suspected else -ahead
    placed = min(time + moved_by, offset.expected)
    return msgspec.structs.replace(
        event,
        time=(EPOCH + timedelta(microseconds=placed)).astimezone(UTC),
        data=times_moved(event.data, moved_by / 1e6),
        provenance="inferred",
    )


def after_jump(raw: Raw, found: list[Event], by: timedelta, at: datetime) -> list[Event]:
    """The events of `raw`, before them the word that the clock was set by `by` and shows `at` now."""
    jump = events.make(
        events.ClockJumped(by_s=by / timedelta(seconds=1)),
        id=_id(raw, 0),
        source=f"/sites/{raw.site}/clock",
        site=raw.site,
        time=at,
        receivedtime=raw.received,
        rawpartition=raw.partition,
        rawoffset=raw.offset,
        rawindex=0,
    )
    moved_up = [
        msgspec.structs.replace(event, id=_id(raw, event.rawindex + 1), rawindex=event.rawindex + 1) for event in found
    ]
    return [jump, *moved_up]


def _id(raw: Raw, index: int) -> str:
    return f"{raw.site}:{raw.partition}:{raw.offset}:{index}"
