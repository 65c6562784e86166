"""Who may see and make which silences. Nobody silences beyond what they are responsible for.

For somebody whose scope is limited a silence without a matcher for the site (queue, team) gets one of theirs: what they ask
for then holds where they see, and says so. One that names what they do not see is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.alerts.core.labels import Matcher, value_fits
from shared.auth import Scope
from shared.errors import FloorwatchError

WILD = frozenset("*?")


class BeyondScope(FloorwatchError):
    """A silence would hold what its author does not see."""


def narrowed(scope: Scope, matchers: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    """The matchers within the scope. Raises BeyondScope."""
    found = list(matchers)
    for label, allowed in _limits(scope):
        of_label = [one for one in matchers if one.label == label]
        inside = [one for one in of_label if not one.negated and set(one.values) <= allowed]
        if inside:
            continue
        if any(not one.negated and not any(WILD & set(value) for value in one.values) for one in of_label):
            named = sorted({value for one in of_label for value in one.values} - allowed)
            raise BeyondScope(f"{label} {', '.join(named)} is beyond what you see: {', '.join(sorted(allowed))}")
        found.append(Matcher(label, tuple(sorted(allowed))))
    return tuple(found)


def may_end(scope: Scope, matchers: tuple[Matcher, ...]) -> bool:
    """Whether everything that it holds is within the scope."""
    try:
        return narrowed(scope, matchers) == matchers
    except BeyondScope:
        return False


def visible(scope: Scope, matchers: tuple[Matcher, ...]) -> bool:
    """Whether it may hold something within the scope."""
    for label, allowed in _limits(scope):
        for one in matchers:
            if one.label == label and not any(_may_fit(one, value) for value in allowed):
                return False
    return True


def _may_fit(one: Matcher, value: str) -> bool:
    return any(value_fits(pattern, value) for pattern in one.values) != one.negated


def _limits(scope: Scope) -> Iterator[tuple[str, frozenset[str]]]:
    for label, allowed in (("site", scope.sites), ("queue", scope.queues), ("team", scope.teams)):
        if allowed is not None:
            yield label, allowed
