"""Silences and maintenance on the days on which clocks change: they hold from one instant to another, whatever clocks show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.alerts.core.labels import matchers
from services.alerts.core.silences import LONGEST, Silence, WrongSilence, holding, made, next_change

ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Shanghai", "America/Santiago")
MATCH = matchers({"site": "s1"})
LABELS = {"site": "s1"}
# around each change of 2026 in these zones, to the minute
CHANGES = ("2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-10-04", "2026-10-25", "2026-11-01")
WALLS = st.builds(
    lambda day, minutes, fold: (datetime.fromisoformat(day) + timedelta(minutes=minutes)).replace(fold=fold),
    st.sampled_from(CHANGES),
    st.integers(-180, 360),
    st.integers(0, 1),
)


def window(zone: str, start: datetime, end: datetime) -> Silence | None:
    """As somebody says it by the clock on their wall; None: it would end before it begins."""
    starts, ends = (one.replace(tzinfo=ZoneInfo(zone)) for one in (start, end))
    try:
        before = starts.astimezone(UTC) - timedelta(days=1)
        return made("maintenance", MATCH, "works", "Li", before, starts=starts, ends=ends)
    except WrongSilence:
        assert not timedelta(0) < ends.astimezone(UTC) - starts.astimezone(UTC) <= LONGEST
        return None


@given(st.sampled_from(ZONES), WALLS, WALLS)
@example("Europe/Berlin", datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 2, 15, fold=1))
@example("America/New_York", datetime(2026, 3, 8, 1, 59), datetime(2026, 3, 8, 3, 0))
def test_a_window_holds_from_its_first_instant_to_its_last_and_no_other(
    zone: str, start: datetime, end: datetime
) -> None:
    one = window(zone, start, end)
    if one is None:
        return
    first, last = (wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for wall in (start, end))
    assert (one.starts, one.ends) == (first, last)
    for other in (zone, "Asia/Shanghai", "UTC"):  # whoever asks, in whichever zone
        tz = ZoneInfo(other)
        for at, holds in (
            (first - timedelta(microseconds=1), False),
            (first, True),
            (last - timedelta(microseconds=1), True),
            (last, False),
        ):
            assert one.holds(LABELS, at.astimezone(tz)) is holds
            assert (one.standing(at.astimezone(tz)) == "in_force") is holds


@settings(max_examples=25)
@given(st.sampled_from(ZONES), st.lists(st.tuples(WALLS, WALLS), min_size=1, max_size=4))
def test_who_looks_only_when_something_begins_or_ends_misses_nothing(
    zone: str, walls: list[tuple[datetime, datetime]]
) -> None:
    silences = [one for pair in walls if (one := window(zone, *pair)) is not None]
    if not silences:
        return
    now = min(one.starts for one in silences) - timedelta(hours=1)
    end = max(one.ends for one in silences)
    held, at = timedelta(0), next_change(silences, now)
    while at is not None:
        if holding(silences, LABELS, now) is not None:
            held += at - now
        assert now < at <= end
        now, at = at, next_change(silences, at)
    assert now == end
    minutes = int((end - min(one.starts for one in silences)) / timedelta(minutes=1))
    first = min(one.starts for one in silences)
    if minutes <= 3000:  # the same by looking each minute, in which all of them begin and end
        looked = sum(holding(silences, LABELS, first + timedelta(minutes=n)) is not None for n in range(minutes))
        assert held == timedelta(minutes=looked)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Shanghai"])
def test_a_month_by_the_calendar_is_a_month_also_when_clocks_are_put_back(zone: str) -> None:
    assert window(zone, datetime(2026, 10, 20, 8), datetime(2026, 11, 20, 8)) is not None
    assert window(zone, datetime(2026, 10, 20, 8), datetime(2026, 11, 20, 10)) is None
