"""How long to wait before the next attempt to log in: longer each time, and never all connectors at the same moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from services.ingest.connectors.asterisk.failures import What

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
# Whoever tries a wrong password often is locked out by whatever guards the switch.
REFUSED_FIRST_S: Final = 15.0
REFUSED_LONGEST_S: Final = 300.0


class Backoff:
    """`chance` gives a number from 0 to 1: how much of half the wait is left out."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failed = 0
        self._what: What | None = None

    def worked(self) -> None:
        """A login worked: the next failure is a first one."""
        self._failed, self._what = 0, None

    def next_s(self, what: What) -> float:
        """The wait after this failure."""
        refused = what == "wrong user or password"
        if refused != (self._what == "wrong user or password"):
            self._failed = 0
        self._what = what
        first, longest = (REFUSED_FIRST_S, REFUSED_LONGEST_S) if refused else (FIRST_S, LONGEST_S)
        wait: float = min(longest, first * 2 ** min(self._failed, 20))
        self._failed += 1
        return wait * (1 - self._chance() / 2)
