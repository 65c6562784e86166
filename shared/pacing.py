"""How often somebody may do something: a bucket for each, a minute's worth of it at once. Pure: the time is given."""

from __future__ import annotations

import math
from typing import Final

MOST_KEYS: Final = 20_000  # a few megabytes; whoever comes under ever new names pushes out those who asked longest ago


class Pacing:
    """`per_minute` for each key at once, then as many as flow in. Whose bucket is full again is forgotten."""

    def __init__(self, per_minute: int, *, most_keys: int = MOST_KEYS) -> None:
        self.per_minute = per_minute
        self._most_keys = most_keys
        self._each_s = 60.0 / per_minute
        # key -> when the bucket is full again; who took something last is last
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def wait_s(self, key: str, now: float) -> int:
        """Whole seconds until `key` may take one; 0: now. `now` in seconds, monotonic. Takes nothing."""
        over = max(now, self._full_at.get(key, now)) + self._each_s - now - 60.0
        return math.ceil(over) if over > 1e-6 else 0  # sums of fractions

    def take(self, key: str, now: float) -> int:
        """Take one, if `wait_s` is 0; what is refused costs nothing. Returns `wait_s`."""
        if wait_s := self.wait_s(key, now):
            return wait_s
        self._full_at[key] = max(now, self._full_at.pop(key, now)) + self._each_s
        self._forget(now)
        return 0

    def _forget(self, now: float) -> None:
        while self._full_at:
            first = next(iter(self._full_at))
            if self._full_at[first] > now and len(self._full_at) <= self._most_keys:
                return
            del self._full_at[first]
