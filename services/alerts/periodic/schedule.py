"""When reports are due. Pure: plans and a moment in, runs and the next moment out.

A report is due at its hour of the site's day after the period's last day, and not before the last records can have come. Only the
newest period that is over is ever due: who was away for a week catches up with one report, not with seven.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from services.alerts.periodic.period import Kind, Language, Period, containing, day_at

SETTLED: Final = timedelta(minutes=2)  # after a period's end: records that came late are in by then
PATIENCE: Final = timedelta(minutes=30)  # after it: what was not recorded by then is not waited for
AGAIN: Final = timedelta(minutes=1)  # between two looks whether the records have come


class Plan(Struct, frozen=True):
    """A report to be sent: `at` minutes after midnight of the site, to receivers. `sites` empty: every site with records."""

    kind: Kind
    at: int
    to: tuple[str, ...]
    sites: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("html", "xlsx")
    languages: tuple[Language, ...] = ("en", "zh")

    def of(self, sites: Iterable[str]) -> tuple[str, ...]:
        """For which of the known `sites` it is; those that it names in any case."""
        return self.sites or tuple(sites)


class Run(Struct, frozen=True):
    """One report for one receiver. Kind, site, period and receiver are its identity: it is sent once."""

    plan: Plan
    site: str
    period: Period
    receiver: str
    due: datetime

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return (self.period.kind, self.site, self.period.key, self.receiver)


def due_at(period: Period, at: int) -> datetime:
    """When the report of `period` is due, aware UTC. A time that the clock skips is later, one that comes twice the first."""
    moment = datetime.combine(period.next_first, time(at // 60, at % 60), ZoneInfo(period.time_zone)).astimezone(UTC)
    return max(moment, period.end + SETTLED)


def newest_due(plan: Plan, time_zone: str, now: datetime) -> tuple[Period, datetime]:
    """The newest period whose report is due at `now`, and since when."""
    period = containing(plan.kind, day_at(now, time_zone), time_zone).before()
    while (due := due_at(period, plan.at)) > now:
        period = period.before()
    return period, due


def next_due(plan: Plan, time_zone: str, now: datetime) -> datetime:
    """When the next report of this plan becomes due, after `now`."""
    period, _ = newest_due(plan, time_zone, now)
    return due_at(period.after(), plan.at)


def runs(plans: Iterable[Plan], zones: Mapping[str, str], now: datetime) -> list[Run]:
    """Every report that is due at `now`; `zones`: the known sites' time zones. Two plans of the same identity: the first."""
    found: dict[tuple[str, str, str, str], Run] = {}
    for plan in plans:
        for site in plan.of(zones):
            period, due = newest_due(plan, zones.get(site, "UTC"), now)
            for receiver in plan.to:
                run = Run(plan, site, period, receiver, due)
                found.setdefault(run.identity, run)
    return sorted(found.values(), key=lambda run: (run.due, run.identity))


def next_of(plans: Iterable[Plan], zones: Mapping[str, str], now: datetime) -> datetime | None:
    """The next moment at which one of them becomes due; None without plans."""
    moments = [next_due(plan, zones.get(site, "UTC"), now) for plan in plans for site in plan.of(zones)]
    return min(moments, default=None)


def waits_for(run: Run, recorded_until: datetime | None, now: datetime) -> datetime | None:
    """Until when to wait for the last records; None: write it now. `recorded_until`: time of the newest record of the site."""
    given_up = run.period.end + PATIENCE
    if now >= given_up or (recorded_until is not None and recorded_until >= run.period.end):
        return None
    return min(now + AGAIN, given_up)
