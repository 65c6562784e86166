"""Hours of the day in a site's time zone. Midnight and changes of daylight saving time included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(r"(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)")
_DAY_MINUTES: Final = 24 * 60


def parse_window(text: str) -> tuple[int, int]:
    """`08:00-20:00` as minutes since midnight; an end not after the start is of the next day. Raises ValueError."""
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'expected hours such as "08:00-20:00", got {text!r}')
    numbers = [int(number) for number in found.groups()]
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if numbers[1] > 59 or numbers[3] > 59 or start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise ValueError(f"there is no such time of day: {text!r}")
    return start, end if end > start else end + _DAY_MINUTES


class Hours:
    """Windows of the day on some days of the week. A window belongs to the day on which it begins."""

    def __init__(self, windows: tuple[tuple[int, int], ...], days: frozenset[str]) -> None:
        """`windows`: minutes since midnight, none for the whole day; `days`: of `DAYS`, none for all."""
        self._windows = windows or ((0, _DAY_MINUTES),)
        self._days = frozenset(DAYS.index(day) for day in days) if days else frozenset(range(7))

    def open_at(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether `at` is inside; the first moment of a window is, its end is not."""
        return any(start <= at < end for start, end in self._spans(at, zone, 1))

    def next_change(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """When it next opens or closes, after `at`; None for never."""
        for start, end in self._spans(at, zone, 8):
            if at < start:
                return start
            if at < end:
                return None if self.open_at(end, zone) else end  # a week and a day without an end has none
        return None

    def _spans(self, at: datetime, zone: ZoneInfo, ahead: int) -> list[tuple[datetime, datetime]]:
        """The windows around `at` as spans of UTC, in order, those that meet joined."""
        today = at.astimezone(zone).date()
        joined: list[tuple[datetime, datetime]] = []
        for start, end in sorted(self._raw(today, zone, ahead)):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((start, end))
        return joined

    def _raw(self, today: date, zone: ZoneInfo, ahead: int) -> Iterator[tuple[datetime, datetime]]:
        for offset in range(-2, ahead + 1):
            day = today + timedelta(days=offset)
            if day.weekday() in self._days:
                for start, end in self._windows:
                    yield _instant(day, start, zone), _instant(day, end, zone)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """A time of a day as people there read it off the wall; one that is skipped or comes twice is its first moment."""
    extra, minute = divmod(minutes, _DAY_MINUTES)
    wall = datetime.combine(day + timedelta(days=extra), time(minute // 60, minute % 60), zone)
    return wall.astimezone(UTC)
