"""Which frames come too late. Pure.

A frame is due 20 ms after the one before. What comes much later than that (200 ms) is dropped, so that what a stalled network
held back is not played later and later. But a switch may pause, or leave frames out: when those that come go on at their pace,
all of them late, the ones in between never were, and their time is the new one. So the slots follow: at once where nothing
would be heard otherwise, and each second to the frame that was least late, by which they also keep up with a slower clock.
"""

from __future__ import annotations

import math
from typing import Final

from services.monitor.listen.relay.media import FRAME_S

LATE_S: Final = 0.2
_WINDOW_S: Final = 1.0
_PACE_S: Final = 0.01  # further apart than frames of a burst
_STEADY: Final = 3  # frames at their pace, all of them late
_MOST: Final = 100  # frames passed on within a second, twice as many as there can be; the others are a flood


class Slots:
    """The frames of one fork. `gap`: some are missing before the last one; `lost`: how many never came; times are monotonic."""

    def __init__(self, late_s: float = LATE_S) -> None:
        self._late_s = late_s
        self.gap = False
        self.lost = 0
        self._due = 0.0
        self._last: float | None = None
        self._steady = 0
        self._window = 0.0
        self._least = 0.0  # late, of the frames of this window
        self._passed = 0

    def late(self, now: float) -> bool:
        """A frame came: whether it is to be dropped."""
        if self._last is None:
            self._due = self._last = self._window = now
            self._least = 0.0
            self._passed = 1
            return False
        apart, self._last = now - self._last, now
        if now - self._window >= _WINDOW_S:
            self._turn(now)
        self._due = due = self._due + FRAME_S
        behind = now - due
        if behind < self._least:
            self._least = behind
        if behind > self._late_s and self._is_late(now, behind, apart):
            return True
        if behind <= 0.0:
            self._due = now
        self._steady = 0
        self._passed = passed = self._passed + 1
        if passed > _MOST:
            self.gap = True
            return True
        return False

    def _turn(self, now: float) -> None:
        """A window is over."""
        if 0.0 < self._least < math.inf:
            self._due += self._least
            self.lost += int(self._least / FRAME_S)
        self._window, self._least, self._passed = now, math.inf, 0

    def _is_late(self, now: float, behind: float, apart: float) -> bool:
        self._steady = self._steady + 1 if apart >= _PACE_S else 0
        self.gap = True
        if self._steady < _STEADY:
            return True
        self.lost += round(behind / FRAME_S)
        self._due = now
        self._least = 0.0
        return False
