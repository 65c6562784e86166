"""Which matchers leave nothing for others: so that a route that can never be taken is told of before the night it was for.

What is said is certain; what cannot be decided from the file alone (patterns that overlap in part) is not said.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from services.alerts.core.explained import CLOSED
from services.alerts.core.labels import Labels, Matcher, fits, value_fits

_OTHER: Final = "\uffff"  # stands for a character that no file has


def impossible(together: Sequence[Matcher]) -> bool:
    """Whether no labels fit all of them."""
    opened = _open(together)
    pairs = itertools.permutations(opened, 2)
    return any(_exclude(one, other) for one, other in pairs) or not any(True for _ in _worlds(together))


def taken_by(earlier: Sequence[Sequence[Matcher]], what: Sequence[Matcher]) -> list[int]:
    """Which of the earlier ones together take everything that fits `what`; none when something is left.

    Of labels with few values (severity, subject, simulated, replay) each combination is tried.
    """
    opened = _open(what)
    wider = [n for n, one in enumerate(earlier) if all(_implied(m, opened) for m in _open(one))]
    taking: list[int] = []
    for world in _worlds(what):
        found = next((n for n in wider if fits(_closed(earlier[n]), world)), None)
        if found is None:
            return []
        taking.append(found)
    return sorted(set(taking))


def _open(found: Iterable[Matcher]) -> list[Matcher]:
    return [one for one in found if one.label not in CLOSED]


def _closed(found: Iterable[Matcher]) -> list[Matcher]:
    return [one for one in found if one.label in CLOSED]


def _worlds(constraints: Sequence[Matcher]) -> Iterator[Labels]:
    """Every combination of the values that the labels with few values may have under these."""
    closed = _closed(constraints)
    for values in itertools.product(*CLOSED.values()):
        world = dict(zip(CLOSED, values, strict=True))
        if fits(closed, world):
            yield world


def _implied(one: Matcher, by: Iterable[Matcher]) -> bool:
    """Whether what fits all of `by` fits `one`, for certain."""
    if not one.negated and any(set(value) == {"*"} for value in one.values):
        return True
    return any(other.label == one.label and _covers(one, other) for other in by)


def _covers(wide: Matcher, narrow: Matcher) -> bool:
    """Whether every value that fits `narrow` fits `wide`, for certain."""
    if wide.negated and narrow.negated:
        return all(any(_within(one, other) for other in narrow.values) for one in wide.values)
    if wide.negated:
        return all(_apart(one, other) for one in wide.values for other in narrow.values)
    return not narrow.negated and all(any(_within(one, other) for other in wide.values) for one in narrow.values)


def _exclude(one: Matcher, other: Matcher) -> bool:
    """Whether no value fits both, for certain."""
    if one.label != other.label or one.negated:
        return False
    if other.negated:
        return all(any(_within(value, without) for without in other.values) for value in one.values)
    return all(_apart(a, b) for a in one.values for b in other.values)


def _apart(one: str, other: str) -> bool:
    """Whether no text fits both patterns, for certain: at least one of them must be a plain text."""
    if not _has_wildcard(one):
        return not value_fits(other, one)
    return not _has_wildcard(other) and not value_fits(one, other)


def _within(narrow: str, wide: str) -> bool:
    """Whether every text that fits the pattern `narrow` fits `wide`: each star of it is tried as nothing and as much."""
    if not _has_wildcard(narrow):
        return value_fits(wide, narrow)
    parts = narrow.replace("?", _OTHER).split("*")
    much = _OTHER * (len(wide) + 1)
    for chosen in itertools.product(("", much), repeat=len(parts) - 1):
        text = parts[0] + "".join(star + part for star, part in zip(chosen, parts[1:], strict=True))
        if not value_fits(wide, text):
            return False
    return True


def _has_wildcard(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern
