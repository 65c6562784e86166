"""Silences and maintenance windows: incidents that nobody is told of for a while, and why. Pure.

What a silence is now (planned, in force, over) is computed from its times and never stored. It hides nothing: an incident under
it stands in the list, marked. When it is over, whoever still has to be told is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from services.alerts.core.labels import Labels, Matcher, fits
from shared.errors import FloorwatchError

Kind = Literal["silence", "maintenance"]
Standing = Literal["planned", "in_force", "over"]
LONGEST = timedelta(days=31, hours=1)  # a month by the calendar, clocks put back in it; for longer change a route


class WrongSilence(FloorwatchError):
    """What was asked of a silence is not possible."""


class Silence(Struct, frozen=True, kw_only=True):
    """A silence as it is kept. Times are the wall clock; `ends` is never missing."""

    kind: Kind
    matchers: tuple[Matcher, ...]
    reason: str
    by: str
    created_at: datetime
    starts: datetime
    ends: datetime
    ended_by: str = ""  # who cut it short; `ends` is when
    id: int = 0

    def standing(self, now: datetime) -> Standing:
        return "planned" if now < self.starts else "in_force" if now < self.ends else "over"

    def holds(self, labels: Labels, now: datetime) -> bool:
        return self.starts <= now < self.ends and fits(self.matchers, labels)


def made(
    kind: Kind, matchers: tuple[Matcher, ...], reason: str, by: str, now: datetime, *, starts: datetime, ends: datetime
) -> Silence:
    """A new one; its times are instants, so that none is compared by what a clock on a wall shows. Raises WrongSilence."""
    if not matchers:
        raise WrongSilence("a silence needs at least one matcher; without any it would silence everything")
    if all("*" in one.values and not one.negated for one in matchers):
        raise WrongSilence("these matchers fit everything; name a site, a rule or another label")
    now, starts, ends = (one.astimezone(UTC) for one in (now, starts, ends))
    starts = max(starts, now)
    if ends <= starts:
        raise WrongSilence("it would end before it begins" if ends > now else "its end is over already")
    if ends - starts > LONGEST:
        raise WrongSilence(f"at most {LONGEST.days} days at a time; for longer change a route")
    return Silence(kind=kind, matchers=matchers, reason=reason, by=by, created_at=now, starts=starts, ends=ends)


def ended(silence: Silence, by: str, now: datetime) -> Silence:
    """Cut short. Raises WrongSilence when it is over already."""
    if silence.standing(now) == "over":
        raise WrongSilence(f"it is over since {silence.ends.isoformat(timespec='seconds')}")
    at = max(now, silence.created_at)
    return Silence(
        kind=silence.kind,
        matchers=silence.matchers,
        reason=silence.reason,
        by=silence.by,
        created_at=silence.created_at,
        starts=min(silence.starts, at),
        ends=at,
        ended_by=by,
        id=silence.id,
    )


def holding(silences: Iterable[Silence], labels: Labels, now: datetime) -> Silence | None:
    """The silence that holds something with these labels longest."""
    return max((one for one in silences if one.holds(labels, now)), key=lambda one: (one.ends, one.id), default=None)


def next_change(silences: Iterable[Silence], now: datetime) -> datetime | None:
    """When one begins or ends next."""
    return min((at for one in silences for at in (one.starts, one.ends) if at > now), default=None)
