"""How many at a time, at most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Peak:
    """Half-open stretches of time [start, start + length). As many entries as there are different instants."""

    _changes: Counter[datetime] = field(default_factory=Counter)

    def add(self, start: datetime, length: timedelta) -> None:
        """One more stretch; an empty one is nowhere."""
        if length > timedelta():
            self._changes[start] += 1
            self._changes[start + length] -= 1

    def highest(self) -> tuple[int, datetime | None]:
        """The largest number at one instant, and the first instant of it; 0 and None when there is no stretch."""
        most, when, now = 0, None, 0
        for instant in sorted(self._changes):
            now += self._changes[instant]
            if now > most:
                most, when = now, instant
        return most, when
