"""When reports are due: each period once, none too early, across changes of the clock; after an outage the last period alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from services.alerts.periodic.period import KINDS, Kind, Language, containing, day_at
from services.alerts.periodic.schedule import (
    PATIENCE,
    SETTLED,
    Plan,
    Run,
    due_at,
    newest_due,
    next_due,
    next_of,
    runs,
    waits_for,
)

ZONES = ("Europe/Copenhagen", "Asia/Shanghai", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
kinds = st.sampled_from(KINDS)
zones = st.sampled_from(ZONES)
minutes = st.integers(0, 24 * 60 - 1)
moments = st.datetimes(datetime(2015, 1, 10), datetime(2035, 1, 1), timezones=st.just(UTC))
SPRING = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # in Copenhagen the clock goes from 02:00 to 03:00 at 01:00 UTC
AUTUMN = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # and back from 03:00 to 02:00


def plan(kind: Kind = "daily", at: int = 450, to: tuple[str, ...] = ("ops",), sites: tuple[str, ...] = ()) -> Plan:
    languages: tuple[Language, ...] = ("en",)
    return Plan(kind=kind, at=at, to=to, sites=sites, languages=languages)


@given(kinds, minutes, zones, moments)
@example("daily", 150, "Europe/Copenhagen", SPRING)
@example("daily", 150, "Europe/Copenhagen", AUTUMN)
@example("daily", 0, "America/Sao_Paulo", datetime(2018, 11, 4, 3, 0, tzinfo=UTC))  # there midnight was skipped
def test_what_is_due_is_the_newest_period_that_is_over(kind: Kind, at: int, zone: str, now: datetime) -> None:
    one = plan(kind, at)
    period, due = newest_due(one, zone, now)
    assert period.end + SETTLED <= due <= now < next_due(one, zone, now)
    assert period.kind == kind
    assert due_at(period.after(), at) > now


@given(kinds, minutes, zones, moments)
@example("daily", 150, "Europe/Copenhagen", SPRING)
@example("daily", 150, "Europe/Copenhagen", AUTUMN)
def test_waking_when_told_to_writes_every_period_exactly_once(kind: Kind, at: int, zone: str, now: datetime) -> None:
    one = plan(kind, at)
    written = []
    for _ in range(6):
        written.append(newest_due(one, zone, now)[0])
        now = next_due(one, zone, now)
    assert all(later == earlier.after() for earlier, later in pairwise(written))


@given(kinds, minutes, zones, moments)
def test_it_is_due_at_its_hour_of_the_day_after(kind: Kind, at: int, zone: str, now: datetime) -> None:
    period = containing(kind, day_at(now, zone), zone)
    due = due_at(period, at)
    assert period.end <= due < period.end + timedelta(hours=26)
    local = due.astimezone(ZoneInfo(zone))
    there = local.replace(hour=at // 60, minute=at % 60, fold=0)
    skipped = there.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != there.replace(tzinfo=None)
    if not skipped and due > period.end + SETTLED:
        assert (local.hour, local.minute) == (at // 60, at % 60)


@given(kinds, minutes, zones, moments, st.integers(1, 4000))
def test_after_an_outage_only_the_last_period_is_caught_up(
    kind: Kind, at: int, zone: str, now: datetime, away_h: int
) -> None:
    back = now + timedelta(hours=away_h)
    due = runs([plan(kind, at)], {"s1": zone}, back)
    assert len(due) == 1
    assert due[0].period == newest_due(plan(kind, at), zone, back)[0]


@given(st.lists(kinds, min_size=1, max_size=4), zones, zones, moments)
def test_each_report_is_due_once_for_each_receiver(of: list[Kind], zone: str, other: str, now: datetime) -> None:
    plans = [plan(kind, to=("ops", "boss")) for kind in of] + [plan(of[0], to=("ops",), sites=("s2",))]
    due = runs(plans, {"s1": zone, "s2": other}, now)
    identities = [run.identity for run in due]
    assert len(identities) == len(set(identities)) == len(set(of)) * 2 * 2
    assert all(run.due <= now for run in due)
    following = next_of(plans, {"s1": zone, "s2": other}, now)
    assert following is not None
    assert following > now
    assert {run.identity for run in runs(plans, {"s1": zone, "s2": other}, following)} != set(identities)


def test_last_records_are_waited_for_but_not_for_ever() -> None:
    zone = "Asia/Shanghai"
    period = containing("daily", day_at(SPRING, zone), zone)
    run = Run(plan(at=0), "s1", period, "ops", due_at(period, 0))
    just_over = period.end + SETTLED
    assert waits_for(run, period.end - timedelta(minutes=9), just_over) == just_over + timedelta(minutes=1)
    assert waits_for(run, period.end, just_over) is None
    assert waits_for(run, None, just_over) is not None
    assert waits_for(run, None, period.end + PATIENCE) is None


def test_no_plan_is_never_due() -> None:
    assert runs([], {"s1": "UTC"}, SPRING) == []
    assert next_of([plan()], {}, SPRING) is None
