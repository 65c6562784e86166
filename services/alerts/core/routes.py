"""The tree of routes: which receivers an incident with some labels has. Pure; read from a file by `services.alerts.alertfile`.

    routes:
      receiver: operations              # whatever no route below takes
      repeat: 4h
      routes:
        - match: {severity: critical}
          receiver: duty-phone
          schedule: night               # outside of it the next route is asked

A route takes what all of its matchers fit and what the route above it takes; what it leaves out it has from the one above.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct

from services.alerts.core.labels import Labels, Matcher, fits
from services.alerts.core.plan import SEVERITIES, Branch, Duty, Leaf, Plan, Raise, Step


class Route(Struct, frozen=True):
    """One node of the tree, with everything that it has from the one above. `schedule`: its name, "" for always."""

    leaf: Leaf
    matchers: tuple[Matcher, ...] = ()
    schedule: str = ""
    goes_on: bool = False
    routes: tuple[Route, ...] = ()


class Raising(Struct, frozen=True):
    """A severity that rises, and for which incidents."""

    raises: Raise
    matchers: tuple[Matcher, ...] = ()


class Schedule(Struct, frozen=True):
    """On-call hours; as `plan.Duty`. Without a time zone they are those of the incident's site."""

    name: str
    spans: tuple[tuple[tuple[tuple[int, int], ...], tuple[str, ...]], ...]
    time_zone: str = ""


class Routes(Struct, frozen=True):
    """The whole tree, with the schedules that it names."""

    root: Route
    schedules: dict[str, Schedule] = {}
    raisings: tuple[Raising, ...] = ()

    def plan(self, labels: Labels, time_zone: str) -> Plan:
        """What is to be done about an incident with these labels at a site with this time zone, whatever its severity becomes."""
        routes: dict[str, Branch] = {}
        for severity in SEVERITIES:
            branch = self._branch(self.root, {**labels, "severity": severity}, time_zone)
            if branch is not None:
                routes[severity] = branch
        raises = tuple(one.raises for one in self.raisings if fits(one.matchers, labels))
        return Plan(routes, raises)

    def receivers(self) -> Iterator[str]:
        """Every receiver that a route or a step names."""
        return _receivers(self.root)

    def _branch(self, route: Route, labels: Labels, time_zone: str) -> Branch | None:
        if not fits(route.matchers, labels):
            return None
        below = (self._branch(one, labels, time_zone) for one in route.routes)
        return Branch(
            leaf=route.leaf,
            duty=self._duty(route.schedule, time_zone),
            goes_on=route.goes_on,
            branches=tuple(one for one in below if one is not None),
        )

    def _duty(self, name: str, time_zone: str) -> Duty | None:
        if not name:
            return None
        schedule = self.schedules[name]
        return Duty(name, schedule.time_zone or time_zone, schedule.spans)


def to(receiver: str, *, wait: timedelta = timedelta(0), steps: tuple[Step, ...] = ()) -> Routes:
    """A tree of one route that takes everything."""
    return Routes(Route(Leaf("", receiver, wait=wait, steps=steps)))


def _receivers(route: Route) -> Iterator[str]:
    yield route.leaf.receiver
    for step in route.leaf.steps:
        yield from step.receivers
    for below in route.routes:
        yield from _receivers(below)
