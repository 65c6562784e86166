"""How far marks are held back: as far as this site's events lag, measured as they come, and no further.

A mark ahead of an event that is still on its way would fire a timer which that event was about to stop. What an event takes from
the switch's clock to us (connector and broker) is known for each one that has come. So marks wait for the worst of the last
seconds and a margin, and each flag comes that much earlier than with a fixed allowance for the worst machine.
"""

from __future__ import annotations

from typing import Final

MOST_S: Final = 0.1  # covers connector, broker and ingest together on a busy machine; also while little is known
LEAST_S: Final = 0.02
_MARGIN_S: Final = 0.015  # for a lag that is worse than all of them
_STRETCH_S: Final = 10.0  # the worst of the running stretch and the one before counts: 10 to 20 s
_ENOUGH: Final = 20  # arrivals in those


class HoldBack:
    """One site's. Times are our monotonic seconds."""

    __slots__ = ("_before", "_began", "_running")

    def __init__(self) -> None:
        self._began = 0.0
        self._before = (0, 0.0)  # arrivals and the worst lag of the stretch before
        self._running = (0, 0.0)

    def arrived(self, lag_s: float, count: int, now: float) -> None:
        """`count` events came, the one that lagged most `lag_s` behind the switch's clock as we estimate it."""
        self._turn(now)
        known, worst = self._running
        self._running = (known + count, max(worst, lag_s))

    def seconds(self, now: float) -> float:
        """How far a mark is held back now."""
        self._turn(now)
        if self._before[0] + self._running[0] < _ENOUGH:
            return MOST_S
        worst = max(self._before[1], self._running[1])
        return min(MOST_S, max(LEAST_S, worst + _MARGIN_S))

    def _turn(self, now: float) -> None:
        passed = now - self._began
        if passed >= _STRETCH_S:
            self._before = self._running if passed < 2 * _STRETCH_S else (0, 0.0)
            self._running = (0, 0.0)
            self._began = now
