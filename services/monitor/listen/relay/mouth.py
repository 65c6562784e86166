"""The microphone's way to the switch: a frame each 20 ms, however they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from services.monitor.listen.relay.media import FRAME_S

WAITING: Final = 10  # frames: what would be spoken more than 200 ms late is not spoken


class Mouth:
    """Paces frames to `speak`. What waits is bounded: the oldest are dropped and counted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, speak: Callable[[bytes], bool]) -> None:
        """`speak` sends one frame and says whether it was taken."""
        self._loop = loop
        self._speak = speak
        self._waiting: deque[bytes] = deque()
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.spoken = 0
        self.discarded = 0

    def put(self, pcm: bytes) -> None:
        """One frame from the page."""
        now = self._loop.time()
        if self._timer is None and now >= self._next:
            self._say(pcm, now)
            return
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self.discarded += 1
        self._waiting.append(pcm)
        if self._timer is None:
            self._timer = self._loop.call_at(self._next, self._go_on)

    def close(self) -> None:
        """Nothing more is said."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        self._say(self._waiting.popleft(), self._loop.time())
        if self._waiting:
            self._timer = self._loop.call_at(self._next, self._go_on)

    def _say(self, pcm: bytes, now: float) -> None:
        # a little late is made good with the next one, more than a frame is not: they would go out in a burst
        self._next = max(self._next, now - FRAME_S) + FRAME_S
        if self._speak(pcm):
            self.spoken += 1
        else:
            self.discarded += 1
