"""Minutes, intervals and days by a site's wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.counting import periods

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "Asia/Beirut",
    "Pacific/Apia",
)


def utc(year: int, month: int, day: int, *clock: int) -> datetime:
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "at", "day", "began", "hours"),
    [
        ("Europe/Berlin", utc(2026, 3, 29, 12), "2026-03-29", utc(2026, 3, 28, 23), 23),  # forward at 02:00
        ("Europe/Berlin", utc(2026, 10, 25, 12), "2026-10-25", utc(2026, 10, 24, 22), 25),  # back at 03:00
        ("Europe/Berlin", utc(2026, 11, 22, 12), "2026-11-22", utc(2026, 11, 21, 23), 24),
        ("Australia/Lord_Howe", utc(2026, 10, 4, 2), "2026-10-04", utc(2026, 10, 3, 13, 30), 23.5),
        ("Australia/Lord_Howe", utc(2026, 4, 5, 2), "2026-04-05", utc(2026, 4, 4, 13), 24.5),
        ("America/Sao_Paulo", utc(2018, 11, 4, 12), "2018-11-04", utc(2018, 11, 4, 3), 23),  # there is no midnight
        ("America/Havana", utc(2026, 11, 1, 12), "2026-11-01", utc(2026, 11, 1, 4), 25),  # midnight comes twice
        ("America/St_Johns", utc(2010, 11, 7, 12), "2010-11-07", utc(2010, 11, 7, 2, 30), 25),  # back at 00:01
        ("America/St_Johns", utc(2010, 11, 7, 3), "2010-11-07", utc(2010, 11, 7, 2, 30), 25),  # it is 23:30 of the 6th
        ("Pacific/Apia", utc(2011, 12, 30, 12), "2011-12-31", utc(2011, 12, 30, 10), 24),  # there was no 30 December
        ("Asia/Kathmandu", utc(2026, 11, 22, 18, 15), "2026-11-23", utc(2026, 11, 22, 18, 15), 24),
    ],
)
def test_a_day_is_from_midnight_to_midnight(zone: str, at: datetime, day: str, began: datetime, hours: float) -> None:
    found = periods.day_of(at, ZoneInfo(zone))
    assert found == (day, began, began + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("zone", "at", "began"),
    [
        ("Asia/Kathmandu", utc(2026, 11, 22, 9, 14, 59), utc(2026, 11, 22, 9)),  # 14:59:59 at +05:45
        ("Asia/Kathmandu", utc(2026, 11, 22, 9, 15), utc(2026, 11, 22, 9, 15)),
        ("Asia/Kolkata", utc(2026, 11, 22, 9, 31), utc(2026, 11, 22, 9, 30)),
        ("Europe/Berlin", utc(2026, 10, 25, 0, 59, 59), utc(2026, 10, 25, 0, 45)),  # 02:59:59, then it is 02:00 again
        ("Europe/Berlin", utc(2026, 10, 25, 1), utc(2026, 10, 25, 1)),
    ],
)
def test_an_interval_begins_at_a_quarter_of_the_wall_clock(zone: str, at: datetime, began: datetime) -> None:
    assert periods.interval_of(at, ZoneInfo(zone)) == (began, began + periods.INTERVAL)


moments = st.datetimes(datetime(1999, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
# around the days on which one of the zones does something odd
odd = st.sampled_from(
    [utc(2026, 3, 28), utc(2026, 10, 24), utc(2026, 10, 3), utc(2018, 11, 3), utc(2010, 11, 6), utc(2011, 12, 29)]
).flatmap(lambda day: st.integers(0, 2 * 86_400).map(lambda seconds: day + timedelta(seconds=seconds)))


@settings(max_examples=60)
@given(st.sampled_from(ZONES), moments | odd)
def test_periods_leave_no_gap_and_never_overlap(name: str, at: datetime) -> None:
    zone = ZoneInfo(name)
    found = periods.open_at(at, zone, at)
    assert found.minute_began <= at < found.minute_ends
    days = intervals = 0
    for _ in range(27 * 60):
        assert found.day_began <= found.interval_began <= found.minute_began
        assert timedelta() < found.minute_ends - found.minute_began <= periods.MINUTE
        assert found.minute_ends <= found.interval_ends <= found.day_ends
        assert found.interval_ends - found.interval_began <= periods.INTERVAL
        after = periods.after(found, zone)
        assert after.minute_began == found.minute_ends
        if found.minute_ends == found.interval_ends:
            assert after.interval_began == after.counted_from == found.interval_ends
            assert after.interval_began.astimezone(zone).minute % 15 == 0
            intervals += 1
        if found.minute_ends == found.day_ends:
            assert after.day_began == after.day_from == found.day_ends
            assert after.day > found.day
            days += 1
        else:
            assert (after.day, after.day_began, after.day_ends) == (found.day, found.day_began, found.day_ends)
        found = after
    assert days >= 1
    assert intervals >= 100
