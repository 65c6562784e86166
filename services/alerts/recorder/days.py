"""What a record adds to its days at the site, and which quarters of an hour it shows to be recorded. Pure.

An interval is cut at the midnights of the site, so that sums of days are those of every period of whole days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from services.alerts.periodic.period import day_at, midnight
from services.alerts.recorder.reading import QUARTER, micros_between

_DAY: Final = timedelta(days=1)

AgentDay = tuple[str, date, str, str, str]  # site, day, agent, state, reason
CallDay = tuple[str, date, str, str, str, str]  # site, day, agent, queue, direction, outcome


class Time(Struct):
    """Time of an agent's day in one state; microseconds."""

    first: datetime
    last: datetime
    pieces: int = 0
    lasted_us: int = 0
    stale_us: int = 0


class Calls(Struct):
    """Calls of a day; microseconds."""

    calls: int = 0
    waited_us: int = 0
    talk_us: int = 0
    hold_us: int = 0


class Days(Struct):
    """What is to be added to the days; below 0 where a record replaces another."""

    agents: dict[AgentDay, Time] = {}
    calls: dict[CallDay, Calls] = {}

    def interval(self, values: Mapping[str, Any], time_zone: str, times: int = 1) -> None:
        """Add an agent's interval, or with `times` -1 take it away."""
        reason = values["reason"] if values["state"] == "break" else ""
        for day, start, end in by_day(values["started_at"], values["ended_at"], time_zone):
            key = (values["site"], day, values["agent_id"], values["state"], reason)
            found = self.agents.get(key)
            if found is None:
                found = self.agents[key] = Time(start, end)
            found.first, found.last = min(found.first, start), max(found.last, end)
            lasted = micros_between(start, end) * times
            found.pieces += times
            found.lasted_us += lasted
            if values["provenance"] == "stale":
                found.stale_us += lasted

    def call(self, values: Mapping[str, Any], time_zone: str, times: int = 1) -> None:
        """Add a call, or with `times` -1 take it away."""
        day = day_at(values["ended_at"], time_zone)
        names = ("agent_id", "queue", "direction", "outcome")
        agent, queue, direction, outcome = (values[name] for name in names)
        found = self.calls.setdefault((values["site"], day, agent, queue, direction, outcome), Calls())
        found.calls += times
        found.waited_us += values["waited_us"] * times
        found.talk_us += (values["talk_us"] or 0) * times
        found.hold_us += (values["hold_us"] or 0) * times


def by_day(start: datetime, end: datetime, time_zone: str) -> Iterator[tuple[date, datetime, datetime]]:
    """The stretch, cut at midnight: each day that it is in with its part of it."""
    day = day_at(start, time_zone)
    while True:
        ends = midnight(day + _DAY, time_zone)
        if end <= ends:
            yield day, start, end
            return
        yield day, start, ends
        day, start = day + _DAY, ends


_COUNTED: Final = ("offered", "answered", "abandoned", "other_ended", "handled")


def quarters(kind: str, values: Mapping[str, Any]) -> Iterator[datetime]:
    """The quarters of an hour that a record shows to be recorded.

    A queue's interval without a call shows nothing: it is published for the time in which the link was down, too.
    """
    if kind == "agent":
        known = values["state"] != "unknown" and values["provenance"] != "stale"
        start, end = values["started_at"], values["ended_at"]
    elif kind == "queue":
        known = any(values[name] for name in _COUNTED)
        start, end = values["counted_from"], values["ended_at"]
    else:
        return
    if known:
        at = quarter_of(start)
        while at < end:
            yield at
            at += QUARTER


def hour_of(at: datetime, time_zone: str) -> int:
    """The hour of the site's day that `at` is in, 0 to 23."""
    return at.astimezone(ZoneInfo(time_zone)).hour


def quarter_of(at: datetime) -> datetime:
    """The beginning of the quarter that `at` is in."""
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
