"""Who is on duty when, as the API gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import Field

from services.alerts.api.views import View
from services.alerts.core.plan import Duty
from services.alerts.core.routes import Schedule
from shared.siteconfig import Sites


class DutyView(View):
    """Whether somebody is on duty, where."""

    time_zone: str
    sites: list[str] = Field(description="Of this time zone; empty when the schedule names its own")
    on_duty: bool
    until: datetime | None = Field(description="When that changes; null: never")


class ScheduleView(View):
    name: str
    hours: list[str] = Field(description='Such as "mon-fri 08:00-20:00"')
    now: list[DutyView]

    @classmethod
    def of(cls, one: Schedule, zones: Mapping[str, Sequence[str]], at: datetime) -> ScheduleView:
        where = {one.time_zone: []} if one.time_zone else zones
        return cls(name=one.name, hours=hours_of(one), now=[_duty(one, zone, at, where[zone]) for zone in where])


def hours_of(schedule: Schedule) -> list[str]:
    """Each span such as `mon tue 08:00-12:00, 13:00-17:00`."""
    found: list[str] = []
    for windows, days in schedule.spans:
        hours = ", ".join(f"{_time(start)}-{_time(end)}" for start, end in windows) or "the whole day"
        found.append(f"{' '.join(days)} {hours}" if days else hours)
    return found


def zones_of(sites: Sites) -> dict[str, list[str]]:
    """The sites of each time zone; that of sites that the file does not name when it names none."""
    found: dict[str, list[str]] = {}
    for name, one in sites.sites.items():
        found.setdefault(one.time_zone, []).append(name)
    return found or {sites.defaults.time_zone: []}


def _duty(schedule: Schedule, zone: str, at: datetime, sites: Sequence[str]) -> DutyView:
    duty = Duty(schedule.name, zone, schedule.spans)
    return DutyView(time_zone=zone, sites=list(sites), on_duty=duty.on_at(at), until=_turn(duty, at))


def _turn(duty: Duty, at: datetime) -> datetime | None:
    """When whether somebody is on duty really changes: one span may begin where another ends."""
    on, found = duty.on_at(at), duty.next_change(at)
    for _ in range(100):
        if found is None or duty.on_at(found) != on:
            break
        found = duty.next_change(found)
    return found


def _time(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}" if minutes != 1440 else "24:00"
