"""Matchers: which flags, incidents and silences go together, said in labels. Pure.

Labels are texts. An incident has `site`, `rule`, `severity`, `subject`, `subject_id`, `simulated`, `replay` (yes or no), and
whatever its flags carry (`agent`, `team`, `queue`, ...). A label that is not there is the empty text, as it is for Prometheus.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from msgspec import Struct

Labels = Mapping[str, str]
Written = Mapping[str, str | tuple[str, ...]]  # as in a file: {queue: [support, "sales*"], severity: "!info"}

NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,63}")
LONGEST_VALUE: Final = 200
MOST_STARS: Final = 4


class MatcherError(Exception):
    """A matcher that cannot be used; the message says why."""


class Matcher(Struct, frozen=True):
    """One condition: the label's value is one of `values` (`*` and `?` stand for any characters), or none of them."""

    label: str
    values: tuple[str, ...]
    negated: bool = False

    def fits(self, labels: Labels) -> bool:
        found = labels.get(self.label, "")
        return any(value_fits(value, found) for value in self.values) != self.negated

    def __str__(self) -> str:
        return f"{self.label} {'≠' if self.negated else '='} {' | '.join(value or '—' for value in self.values)}"


class Labelled(Protocol):
    """A flag, an incident, or a row of one."""

    @property
    def labels(self) -> Labels: ...
    @property
    def site(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def subject_id(self) -> str: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def replay(self) -> bool: ...


def labels_of(one: Labelled) -> Labels:
    """Its labels as matchers see them."""
    return {
        **one.labels,
        "site": one.site,
        "rule": one.rule,
        "severity": one.severity,
        "subject": one.subject,
        "subject_id": one.subject_id,
        "simulated": "yes" if one.simulated else "no",
        "replay": "yes" if one.replay else "no",
    }


def matcher(label: str, written: str | Iterable[str]) -> Matcher:
    """A matcher as people write it: a value, several of which one must be, or `!value` for all but that.

    Raises MatcherError.
    """
    if NAME.fullmatch(label) is None:
        raise MatcherError(f"{label!r} is not a label: expected small letters, digits and _")
    values = (written,) if isinstance(written, str) else tuple(written)
    if not values:
        raise MatcherError(f"{label}: expected at least one value")
    negated = [value.startswith("!") for value in values]
    if any(negated) and not all(negated):
        raise MatcherError(f"{label}: expected all values with ! or none of them, got {', '.join(values)}")
    if any(negated):
        values = tuple(value[1:] for value in values)
    for value in values:
        if len(value) > LONGEST_VALUE or value.count("*") > MOST_STARS:
            raise MatcherError(f"{label}: {value[:40]!r} is too long, or has more than {MOST_STARS} stars")
    return Matcher(label, values, any(negated))


def matchers(written: Written) -> tuple[Matcher, ...]:
    """All of a mapping, in its order. Raises MatcherError."""
    return tuple(matcher(label, values) for label, values in written.items())


def fits(all_of: Iterable[Matcher], labels: Labels) -> bool:
    """Whether every one does; none at all fits everything."""
    return all(one.fits(labels) for one in all_of)


def value_fits(pattern: str, text: str) -> bool:
    """Whether a label's value is what a pattern with `*` and `?` stands for."""
    return _pattern(pattern).fullmatch(text) is not None


@functools.lru_cache(maxsize=4096)
def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(value.replace("[", "[[]")))
