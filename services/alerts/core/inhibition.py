"""Inhibition: what follows from something worse is not told beside it. A lost link hides every flag of its site. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from services.alerts.core.labels import Labels, Matcher, fits


class Inhibition(Struct, frozen=True):
    """While an incident that fits `source` stands, those that fit `target` and have the same values of `equal` are held back."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ("site",)

    def hides(self, source: Labels, target: Labels) -> bool:
        same = all(source.get(name, "") == target.get(name, "") for name in self.equal)
        return same and fits(self.source, source) and fits(self.target, target)


def hidden_by(
    inhibitions: Iterable[Inhibition], number: int, labels: Labels, standing: Iterable[tuple[int, Labels]]
) -> int | None:
    """The lowest number of those incidents that hide incident `number`; None: it is told.

    `standing`: number and labels of every incident whose condition holds. Nothing hides itself, nor two things each other: of
    two that would, the one that opened first is told.
    """
    inhibitions = tuple(inhibitions)
    found: list[int] = []
    for other, theirs in standing:
        if other == number or not any(one.hides(theirs, labels) for one in inhibitions):
            continue
        if other < number or not any(one.hides(labels, theirs) for one in inhibitions):
            found.append(other)
    return min(found, default=None)
