"""Logs of finished calls, a row a call: read whole, brought into the order of time, ended with a word that they are over.

A log may be ordered by telephone line, while a floor is replayed in the order of time. A month of 30 000 rows takes some
20 MB of memory, a year a quarter of a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.ingest.adapters.anonymous_bank import END, TIME_ZONE, entry_of, over_at, until
from shared.clock import EPOCH
from shared.siteconfig import Leases, Sites

# After the end of the last call its adapter still holds events back, and its clocks may differ.
_AFTER: Final = timedelta(minutes=20)
LOG_VENDORS: Final = frozenset({"anonymous_bank"})


def is_log(vendor: str) -> bool:
    """What this vendor's files hold are rows of finished calls, not events as they happened."""
    return vendor in LOG_VENDORS


def for_log(sites: Sites, site: str) -> Sites:
    """The settings by which a log of this site is worked through: no leases, and the data set's time zone instead of none.

    Every end is in the log, however late, so nothing may be given up before it.
    """
    found = sites.site(site)
    zone = TIME_ZONE if found.time_zone in ("", "UTC") else found.time_zone
    changed = replace(found, time_zone=zone, leases=Leases(ringing_s=0, line_s=0, wrap_s=0, declared_s=0, call_s=0))
    return replace(sites, sites={**sites.sites, site: changed})


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, untouched, and when its call came. `number` counts from 1; 0 is a word of ours between them."""

    number: int
    value: bytes
    at: datetime


def in_order(
    lines: Iterable[tuple[int, bytes]],
    time_zone: str = "",
    otherwise: datetime = EPOCH,
    beat: timedelta | None = None,
) -> Iterator[LogLine]:
    """Every numbered line in the order of time, then `END`. A line without a readable time stays behind the one before it.

    `time_zone` "" or UTC: the data set's. `otherwise` is the time of a file in which no line has one. With `beat`, the word that
    no earlier row comes stands between rows that are further apart, and after the last row until all calls are over: for playing
    the log in time, where a quiet hour would else hold the events before it back.
    """
    zone = ZoneInfo(TIME_ZONE if time_zone in ("", "UTC") else time_zone)
    found: list[tuple[datetime, int, bytes]] = []
    last = datetime.min
    for number, line in lines:
        last = entry_of(line) or last
        found.append((last, number, line))
    found.sort(key=lambda one: one[:2])
    first = next((when for when, _, _ in found if when != datetime.min), None)
    at = otherwise if first is None else first.replace(tzinfo=zone).astimezone(UTC)
    heard = first
    for when, number, line in found:
        if when != datetime.min:
            while beat is not None and heard is not None and (heard := heard + beat) < when:
                yield LogLine(0, until(heard), heard.replace(tzinfo=zone).astimezone(UTC))
            heard = when
            at = when.replace(tzinfo=zone).astimezone(UTC)
        yield LogLine(number, line, at)
    if heard is not None and beat is not None:
        over = max(filter(None, (over_at(line) for _, _, line in found)), default=heard) + _AFTER
        while (heard := heard + beat) < over:
            at = heard.replace(tzinfo=zone).astimezone(UTC)
            yield LogLine(0, until(heard), at)
    if found:
        yield LogLine(0, END, at)
