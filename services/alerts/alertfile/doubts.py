"""What in an alert file is right by its form and yet hardly meant: told of as a warning, with file, line and key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from msgspec import Struct

from services.alerts.alertfile.receivers import Receiver
from services.alerts.alertfile.shadows import impossible, taken_by
from services.alerts.core.explained import OWN
from services.alerts.core.handling import Handling
from services.alerts.core.labels import Matcher
from services.alerts.core.plan import rank
from services.alerts.core.routes import Route
from shared.yamlfile import Where

KNOWN = (*OWN, "agent", "agent_name", "team", "queue", "call", "kind")


class Doubts(Struct, frozen=True):
    """What is looked through. `reached`: receivers that something other than a route names."""

    handling: Handling
    receivers: Mapping[str, Receiver]
    reached: frozenset[str]
    where: Where

    def all(self) -> tuple[str, ...]:
        """In the order of the file's sections."""
        found = [*self._receivers(), *self._schedules(), *self._groups()]
        found += [*self._routes(self.handling.routes.root, "routes", ()), *self._raises(), *self._labels()]
        return tuple(found)

    def _receivers(self) -> Iterator[str]:
        told = {name for name in self.handling.routes.receivers() if name} | self.reached
        for name, one in self.receivers.items():
            if name not in told:
                yield self._say(f"receivers.{name}", "no route and no step names it, so nobody is told through it")
            elif not (one.urls or one.webhook or one.alertmanager or one.then):
                yield self._say(f"receivers.{name}", "has no channel: whoever is told through it hears nothing")

    def _schedules(self) -> Iterator[str]:
        used = {route.schedule for route, _ in _walk(self.handling.routes.root, "routes")}
        for name in self.handling.routes.schedules:
            if name not in used:
                yield self._say(f"schedules.{name}", "no route names it")

    def _groups(self) -> Iterator[str]:
        matched = [one.matchers for one in self.handling.groupings]
        for number, found in enumerate(matched):
            yield from self._never(
                f"groups[{number}]", found, matched[:number], [f"groups[{n}]" for n in range(number)]
            )

    def _routes(self, route: Route, key: str, above: tuple[Matcher, ...]) -> Iterator[str]:
        """Routes below `route` that are never taken, and what stands below the others; not what is below those never taken."""
        for number, one in enumerate(route.routes):
            place, matched = f"{key}.routes[{number}]", (*above, *one.matchers)
            before = [
                (f"{key}.routes[{n}]", other.matchers)
                for n, other in enumerate(route.routes[:number])
                if not other.goes_on and other.schedule in ("", one.schedule)
            ]
            never = list(self._never(place, matched, [m for _, m in before], [name for name, _ in before]))
            yield from never or self._routes(one, place, matched)
            if one.goes_on and number == len(route.routes) - 1:
                yield self._say(f"{place}.continue", "there is no route after it that could be taken, too")

    def _never(
        self, key: str, matched: Sequence[Matcher], earlier: Sequence[Sequence[Matcher]], names: Sequence[str]
    ) -> Iterator[str]:
        if impossible(matched):
            yield self._say(key, "is never taken: nothing fits all of its conditions and those above it")
        elif taken := taken_by(earlier, matched):
            before = " and ".join(f"{names[n]} (line {self._line(names[n])})" for n in taken)
            yield self._say(key, f"is never taken: {before} before it takes all of it")

    def _raises(self) -> Iterator[str]:
        for number, one in enumerate(self.handling.routes.raisings):
            if rank(one.raises.to) == 0:
                yield self._say(f"raises[{number}].to", f"has no effect: nothing is less severe than {one.raises.to}")
            elif impossible(one.matchers):
                yield self._say(f"raises[{number}]", "has no effect: nothing fits all of its conditions")

    def _labels(self) -> Iterator[str]:
        """Labels that are almost those that we give."""
        handling = self.handling
        places: list[tuple[str, Iterable[Matcher]]] = [
            *((f"groups[{n}].match", one.matchers) for n, one in enumerate(handling.groupings)),
            *((f"{key}.match", route.matchers) for route, key in _walk(handling.routes.root, "routes")),
            *((f"raises[{n}].match", one.matchers) for n, one in enumerate(handling.routes.raisings)),
            *((f"inhibit[{n}].source", one.source) for n, one in enumerate(handling.inhibitions)),
            *((f"inhibit[{n}].target", one.target) for n, one in enumerate(handling.inhibitions)),
        ]
        for key, found in places:
            for one in found:
                near = get_close_matches(one.label, KNOWN, n=1, cutoff=0.8)
                if one.label not in KNOWN and near:
                    yield self._say(f"{key}.{one.label}", f"is {near[0]} meant? No label of ours has this name")

    def _line(self, key: str) -> str:
        return self.where(key).removesuffix(f": {key}").rpartition(":")[2]

    def _say(self, key: str, what: str) -> str:
        return f"{self.where(key)}: {what}"


def _walk(route: Route, key: str) -> Iterator[tuple[Route, str]]:
    yield route, key
    for number, below in enumerate(route.routes):
        yield from _walk(below, f"{key}.routes[{number}]")
