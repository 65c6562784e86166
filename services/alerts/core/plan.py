"""What is done about an incident, decided when it opens and kept with it: whom to tell, when again, when to worry more. Pure.

A plan is made of the alert file's routes (`core/routes.py`). Changing the file changes the plans of incidents that open later,
never that of one that somebody works on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from shared.facts import Severity
from shared.hours import Hours

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")  # rising


def rank(severity: str) -> int:
    """Greater is worse; -1 for what is none, such as ""."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


class Duty(Struct, frozen=True):
    """Hours in which somebody is on duty: windows in minutes since midnight, days as `shared.hours` has them, a time zone.

    Several windows of different days are several `spans`.
    """

    name: str
    time_zone: str
    spans: tuple[tuple[tuple[tuple[int, int], ...], tuple[str, ...]], ...]

    def on_at(self, at: datetime) -> bool:
        """Whether somebody is on duty."""
        zone = ZoneInfo(self.time_zone)
        return any(hours.open_at(at, zone) for hours in self._hours())

    def next_change(self, at: datetime) -> datetime | None:
        """When that may change next; None for never."""
        zone = ZoneInfo(self.time_zone)
        changes = (hours.next_change(at, zone) for hours in self._hours())
        return min((one for one in changes if one is not None), default=None)

    def _hours(self) -> Iterator[Hours]:
        return (Hours(windows, frozenset(days)) for windows, days in self.spans)


class Step(Struct, frozen=True):
    """Who is told when nobody has acknowledged for so long."""

    after: timedelta
    receivers: tuple[str, ...]


class Leaf(Struct, frozen=True):
    """Whom a route tells, and when.

    `wait`: after the opening, so that what belongs to it has come; `interval`: between two tellings of further flags; `repeat`:
    while nobody has it, None: never; `steps`: rising by `after`; `tell_end`: its resolution is told to those who heard of it.
    """

    path: str  # in the tree, for people
    receiver: str
    wait: timedelta = timedelta(0)
    interval: timedelta = timedelta(minutes=5)
    repeat: timedelta | None = None
    steps: tuple[Step, ...] = ()
    tell_end: bool = False


class Branch(Struct, frozen=True):
    """What of the tree of routes is about one incident: a route, its hours, and the routes below it.

    `goes_on`: those beside and after it are told, too.
    """

    leaf: Leaf
    duty: Duty | None = None
    goes_on: bool = False
    branches: tuple[Branch, ...] = ()


class Raise(Struct, frozen=True):
    """The severity becomes `to` when the incident is unresolved `after` its opening, or has that many `flags`."""

    to: Severity
    after: timedelta | None = None
    flags: int = 0


class Plan(Struct, frozen=True):
    """Routes for each severity that the incident can have, and when it gets a higher one."""

    routes: dict[str, Branch]
    raises: tuple[Raise, ...] = ()

    @property
    def key(self) -> str:
        """Equal plans have equal keys: a plan is stored once, under it."""
        return hashlib.blake2b(msgspec.json.encode(self, order="deterministic"), digest_size=12).hexdigest()

    def leaves(self, severity: Severity, at: datetime) -> tuple[Leaf, ...]:
        """The routes in force for an incident of that severity at that time; what of them counts: `core/telling.py`."""
        branch = self.routes.get(severity)
        return () if branch is None else in_force(branch, at)


NOBODY: Final = Plan({})


def in_force(branch: Branch, at: datetime) -> tuple[Leaf, ...]:
    """Below a route the first one whose hours it is, and those after it as long as each goes on; without any the route itself."""
    if branch.duty is not None and not branch.duty.on_at(at):
        return ()
    found: list[Leaf] = []
    for below in branch.branches:
        leaves = in_force(below, at)
        found += leaves
        if leaves and not below.goes_on:
            break
    return tuple(found) or (branch.leaf,)
