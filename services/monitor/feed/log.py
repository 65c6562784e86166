"""The last deltas, so that a client who was away briefly gets just what it missed."""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_CHARS: Final = 32 << 20  # ten thousand busy agents make deltas of 100 kB; a snapshot of them takes 4 MB


class FeedLog:
    """A bounded log of encoded deltas. No I/O, never blocks.

    Positions count from 0 within an epoch. Only a client of the same epoch whose position is still covered can resume:
    after a restart the numbers begin anew, and an old position would mean something else.
    """

    def __init__(self, epoch: str, size: int, max_chars: int = MAX_CHARS) -> None:
        self.epoch = epoch
        self.position = 0
        self._size = size
        self._max_chars = max_chars
        self._frames: deque[str] = deque()
        self._chars = 0

    def append(self, frame: str) -> None:
        """Add the delta that leads to `position + 1`."""
        self._frames.append(frame)
        self._chars += len(frame)
        self.position += 1
        while len(self._frames) > self._size or self._chars > self._max_chars:
            self._chars -= len(self._frames.popleft())

    def since(self, epoch: str, position: int) -> list[str] | None:
        """Deltas after `position`, oldest first; None when only a fresh snapshot is right."""
        missing = self.position - position
        if epoch != self.epoch or not 0 <= missing <= len(self._frames):
            return None
        return list(self._frames)[len(self._frames) - missing :]
