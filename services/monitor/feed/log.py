"""The last deltas, so that a client who was away briefly gets just what it missed."""

from __future__ import annotations

from collections import deque


class FeedLog:
    """A bounded log of encoded deltas. No I/O, never blocks.

    Positions count from 0 within an epoch. Only a client of the same epoch whose position is still covered can resume:
    after a restart the numbers begin anew, and an old position would mean something else.
    """

    def __init__(self, epoch: str, size: int) -> None:
        self.epoch = epoch
        self.position = 0
        self._frames: deque[str] = deque(maxlen=size)

    def append(self, frame: str) -> None:
        """Add the delta that leads to `position + 1`."""
        self._frames.append(frame)
        self.position += 1

    def since(self, epoch: str, position: int) -> list[str] | None:
        """Deltas after `position`, oldest first; None when only a fresh snapshot is right."""
        missing = self.position - position
        if epoch != self.epoch or not 0 <= missing <= len(self._frames):
            return None
        return list(self._frames)[len(self._frames) - missing :]
