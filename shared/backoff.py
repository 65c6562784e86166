"""How long to wait before something that is away is tried again.

A broker, a database or a switch that comes back is asked by everybody who waited for it: each wait is shortened by chance, so
that they do not all come at the same moment, and grows, so that whoever is away for long is asked seldom.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

_MOST_DOUBLED: Final = 30  # times; long before that any wait here is the longest


class Backoff:
    """Waits of `first_s`, doubling up to `longest_s` (without it: always `first_s`), less up to half of it.

    `chance` gives a number from 0 to 1: how much of that half is left out.
    """

    def __init__(
        self, first_s: float, longest_s: float | None = None, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._first_s = first_s
        self._longest_s = first_s if longest_s is None else longest_s
        self._chance = chance
        self.failed = 0  # attempts since it last worked

    def worked(self) -> None:
        """It works: the next failure is a first one."""
        self.failed = 0

    def next_s(self) -> float:
        """The wait after one more failure, in seconds."""
        full_s = min(self._longest_s, self._first_s * 2.0 ** min(self.failed, _MOST_DOUBLED))
        self.failed += 1
        return full_s * (1.0 - self._chance() / 2)
