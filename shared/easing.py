"""How often the embedded broker is asked for records, which costs it the more the more it holds. Pure."""

from __future__ import annotations

from typing import Final

# For each fetch that finds something the embedded broker looks through every batch of the partition, some 1 µs each, and
# finds nothing when that takes longer than the fetch may wait. So readers let it look longer, and ask less often, the more
# it holds: one reader then costs it a fifth of a core at the most, and a record comes 0.2 s later for every 30 000 kept.
_WAIT_MS: Final = 0.005  # for each record
_PAUSE_S: Final = 0.000_005  # for each record
_PAUSE_MAX_S: Final = 2.0


class Easing:
    """Of one reader. `held`: how many records its longest partition holds at least. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._held = 0
        self._not_before = now

    def holds(self, held: int, now: float) -> None:
        """It was asked, and is known to hold so many."""
        self._held = max(self._held, held)
        self._not_before = now + min(self._held * _PAUSE_S, _PAUSE_MAX_S)

    @property
    def look_ms(self) -> float:
        """What a fetch may take beyond what it may wait for more."""
        return self._held * _WAIT_MS

    def pause_s(self, now: float) -> float:
        """Until it may be asked again."""
        return max(0.0, self._not_before - now)
