"""Days and 15-minute intervals by a site's wall clock, also where its offset has odd minutes or changes in between."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import structs

from services.monitor.core.counting.tallies import Periods

INTERVAL: Final = timedelta(minutes=15)
MINUTE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When `day` begins: its first midnight, or the moment it begins at where the clock is set forward over midnight."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_of(at: datetime, zone: ZoneInfo) -> tuple[str, datetime, datetime]:
    """The day that `at` is in, its beginning and end in UTC: 23, 24 or 25 hours apart, in some zones 23.5 or 24.5."""
    day = at.astimezone(zone).date()
    began, ends = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    while ends <= at:  # a clock set back over midnight shows yesterday's date again
        day += timedelta(days=1)
        began, ends = ends, _midnight(day + timedelta(days=1), zone)
    return day.isoformat(), began, ends


def interval_of(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The 15 minutes of the wall clock that `at` is in, begun at :00, :15, :30 or :45."""
    offset = at.astimezone(zone).utcoffset() or timedelta()
    began = _EPOCH + (at - _EPOCH + offset) // INTERVAL * INTERVAL - offset
    return began, began + INTERVAL


def open_at(at: datetime, zone: ZoneInfo, since: datetime) -> Periods:
    """The periods that `at` is in, of a site that is heard since `since`."""
    day, day_began, day_ends = day_of(at, zone)
    began, ends = interval_of(at, zone)
    began, ends = max(began, day_began), min(ends, day_ends)
    minute_began = began + (at - began) // MINUTE * MINUTE
    return Periods(
        day=day,
        day_began=day_began,
        day_ends=day_ends,
        day_from=max(day_began, since),
        interval_began=began,
        interval_ends=ends,
        counted_from=max(began, since),
        minute_began=minute_began,
        minute_ends=min(minute_began + MINUTE, ends),
        due=ends,
    )


def after(found: Periods, zone: ZoneInfo) -> Periods:
    """The periods of the minute after the one of `found`."""
    at = found.minute_ends
    if at >= found.interval_ends:
        fresh = open_at(at, zone, found.day_from)
        if fresh.interval_began < at:  # the clock was set by other than quarters of an hour
            fresh.interval_began = fresh.counted_from = fresh.minute_began = at
        return fresh
    return structs.replace(found, minute_began=at, minute_ends=min(at + MINUTE, found.interval_ends))
