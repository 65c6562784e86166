"""How fast each user may change what the desk keeps. Pure: the time is given.

Cases and actions are kept for a year, so a script in a loop must not be able to fill the database, nor hold its one writer.
"""

from __future__ import annotations

import math

from shared.errors import FloorwatchError


class TooManyChanges(FloorwatchError):
    """A user changes more than they may. `wait_s`: whole seconds until the next change is taken."""

    def __init__(self, user: str, per_minute: int, wait_s: int) -> None:
        super().__init__(f"{user} made more than {per_minute} changes within a minute")
        self.wait_s = wait_s


class Pacing:
    """A bucket for each user: a minute's changes at once, then as many as flow in. Whoever's is full again is forgotten."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._each_s = 60.0 / per_minute
        self._full_at: dict[
            str, float
        ] = {}  # user -> when the bucket is full again; who changed something last is last

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, user: str, now: float) -> None:
        """`user` changes something at `now` (seconds, monotonic). What is refused costs nothing. Raises TooManyChanges."""
        full_at = max(now, self._full_at.get(user, now)) + self._each_s
        over = full_at - now - 60.0
        if over > 1e-6:  # sums of fractions
            raise TooManyChanges(user, self._per_minute, math.ceil(over))
        self._full_at.pop(user, None)
        self._full_at[user] = full_at
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._full_at:
            first = next(iter(self._full_at))
            if self._full_at[first] > now:
                return
            del self._full_at[first]
