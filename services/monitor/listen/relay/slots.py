"""Which frames come too late. Pure.

A frame is due 20 ms after the one before. What comes much later than that (200 ms) is dropped, so that what a stalled network
held back is not played later and later. But a switch may pause: when frames go on coming at their pace, all of them equally
late, the frames in between never were, and their time is the new one. The slots also follow a switch whose clock is slower
than ours, and one that is faster.
"""

from __future__ import annotations

from typing import Final

from services.monitor.listen.relay.media import FRAME_S

LATE_S: Final = 0.2
_FOLLOW: Final = 0.001  # of the lateness, with each frame: forgotten in 20 s; a clock 0.1 % slow is 20 ms late for good
_PACE_S: Final = 0.01  # further apart than frames of a burst
_STEADY: Final = 3  # frames at their pace, all of them late
_MOST: Final = 100  # frames within a second, twice as many as there are; the others are a flood


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
        self._seen = 0

    def late(self, now: float) -> bool:
        """A frame came: whether it is to be dropped."""
        if self._last is None:
            self._due = self._last = self._window = now
            self._seen = 1
            return False
        apart, self._last = now - self._last, now
        due = self._due + FRAME_S
        behind = now - due
        self._seen = seen = self._seen + 1
        if now - self._window >= 1.0:
            self._window, self._seen = now, 1
        elif seen > _MOST:
            self._due = min(due, now)
            self.gap = True
            return True
        if behind <= 0.0:
            self._due = now
        elif behind <= self._late_s:
            self._due = due + behind * _FOLLOW
        else:
            self._due = due
            return self._is_late(now, behind, apart)
        self._steady = 0
        return False

    def _is_late(self, now: float, behind: float, apart: float) -> bool:
        self._steady = self._steady + 1 if apart >= _PACE_S else 0
        self.gap = True
        if self._steady < _STEADY:
            return True
        self.lost += round(behind / FRAME_S)
        self._due = now
        self._steady = 0
        return False
