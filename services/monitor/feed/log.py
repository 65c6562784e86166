"""The last deltas, so that a client who was away briefly gets just what it missed."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

# A snapshot of ten thousand agents takes 5 MB: who missed more than this is better off with one.
MAX_BYTES: Final = 8 << 20


class FeedLog:
    """A bounded log of encoded deltas. No I/O, never blocks.

    Positions count from 0 within an epoch. Only a client of the same epoch whose position is still covered can resume:
    after a restart the numbers begin anew, and an old position would mean something else.
    """

    def __init__(self, epoch: str, size: int, max_bytes: int = MAX_BYTES) -> None:
        self.epoch = epoch
        self.position = 0
        self._size = size
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()  # one Chinese word makes a str twice as large
        self._bytes = 0

    def append(self, frame: str) -> None:
        """Add the delta that leads to `position + 1`."""
        kept = frame.encode()
        self._frames.append(kept)
        self._bytes += len(kept)
        self.position += 1
        while len(self._frames) > self._size or self._bytes > self._max_bytes:
            self._bytes -= len(self._frames.popleft())

    def since(self, epoch: str, position: int) -> list[str] | None:
        """Deltas after `position`, oldest first; None when only a fresh snapshot is right."""
        missing = self.position - position
        if epoch != self.epoch or not 0 <= missing <= len(self._frames):
            return None
        return [frame.decode() for frame in islice(self._frames, len(self._frames) - missing, None)]
