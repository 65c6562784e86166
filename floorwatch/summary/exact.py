"""Exact figures of many durations: whole microseconds in, fractions inside, rounded once at the end.

A mean rounded from a sum of floats depends on the order of the summands in its last digits; these do not.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import ceil, sqrt
from typing import Final

MICROS: Final = 1_000_000
DIGITS: Final = 6

Number = int | float


def micros(seconds: float) -> int:
    """Seconds, as facts have them, in whole microseconds."""
    return round(seconds * MICROS)


def seconds(value: int | None) -> Number | None:
    """Microseconds as seconds: a whole number where it is one."""
    if value is None:
        return None
    whole, rest = divmod(value, MICROS)
    return whole if rest == 0 else value / MICROS


def share(part: int, whole: int) -> float | None:
    """`part / whole` to six digits; None where there is nothing to divide by."""
    return round(part / whole, DIGITS) if whole else None


def rounded(value: Fraction) -> float:
    """To six digits."""
    return round(float(value), DIGITS)


class Durations:
    """How often each duration occurred. As many entries as there are different durations, not as there are calls."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, value: int) -> None:
        """One more duration, in microseconds."""
        self._counts[value] += 1

    def __len__(self) -> int:
        """How many there are."""
        return sum(self._counts.values())

    def where(self, least: int | None = None, most: int | None = None) -> Durations:
        """Those from `least` to `most` microseconds, both included."""
        found = Durations()
        for value, times in self._counts.items():
            if (least is None or value >= least) and (most is None or value <= most):
                found._counts[value] = times
        return found

    def plus(self, other: Durations) -> Durations:
        """These and those."""
        found = Durations()
        found._counts.update(self._counts)
        found._counts.update(other._counts)
        return found

    @property
    def total(self) -> int:
        """Their sum in microseconds."""
        return sum(value * times for value, times in self._counts.items())

    @property
    def longest(self) -> int | None:
        """The longest in microseconds; None when there is none."""
        return max(self._counts, default=None)

    @property
    def mean(self) -> float | None:
        """Seconds to six digits."""
        count = len(self)
        return rounded(Fraction(self.total, count * MICROS)) if count else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation (divided by n - 1) in seconds to six digits; None for fewer than two."""
        count, total = len(self), self.total
        if count < 2:
            return None
        squares = sum(value * value * times for value, times in self._counts.items())
        variance = Fraction(squares * count - total * total, count * (count - 1) * MICROS * MICROS)
        return round(sqrt(variance), DIGITS)

    @property
    def median(self) -> float | None:
        """The middle one, or the mean of the two middle ones, in seconds."""
        count = len(self)
        if not count:
            return None
        middle = self._ranked((count + 1) // 2) + self._ranked(count // 2 + 1)
        return rounded(Fraction(middle, 2 * MICROS))

    def percentile(self, percent: int) -> int | None:
        """By nearest rank, in microseconds: the smallest that at least `percent` of them do not exceed."""
        count = len(self)
        return self._ranked(max(1, ceil(Fraction(count * percent, 100)))) if count else None

    def _ranked(self, rank: int) -> int:
        """The `rank`-th smallest, from 1."""
        passed = 0
        for value in sorted(self._counts):
            passed += self._counts[value]
            if passed >= rank:
                return value
        raise IndexError(rank)
