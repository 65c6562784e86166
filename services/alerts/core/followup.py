"""An action: what somebody is still to do about an incident, until which day; and when a day is told. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

MORNING: Final = time(8)  # when people are told of what is for a day: early enough to plan it


class FollowUp(Struct, frozen=True, kw_only=True):
    """An action as its incident keeps it. `number` counts within the incident; `due_at`: when its day is told, `told`: it was."""

    number: int
    text: str
    owner: str
    created_at: datetime
    created_by: str
    due_on: date | None = None
    due_at: datetime | None = None
    told: bool = False
    done_at: datetime | None = None
    done_by: str = ""

    @property
    def waits_until(self) -> datetime | None:
        """When it is to be told; None: never, as things stand."""
        return None if self.told or self.done_at is not None else self.due_at

    def overdue(self, today: date) -> bool:
        """Whether its day is over and it is not done. `today`: at the site."""
        return self.done_at is None and self.due_on is not None and self.due_on < today


def morning(day: date, time_zone: str, now: datetime) -> datetime:
    """When people at a site are told of what is for `day`: in its morning, or, when that is over, in the next one."""
    zone = ZoneInfo(time_zone)
    first = datetime.combine(day, MORNING, zone)
    here = now.astimezone(zone)
    if first <= here:
        first = datetime.combine(here.date(), MORNING, zone)
        if first <= here:
            first = datetime.combine(here.date() + timedelta(days=1), MORNING, zone)
    return first.astimezone(now.tzinfo)
