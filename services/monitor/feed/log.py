"""Which entities changed since a position: what a client that was away, or was slow, has to be told.

Each change has a position of its own, and only the last of each entity is kept: its name, for the value is in the book. So
one who missed a thousand changes of one agent is told the last; what is kept grows with the floor and not with what happens
on it; and wherever a client stops reading, it stops at a position from which it can be told the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from services.monitor.core.engine import Changed


class ChangeLog:
    """Names of changed entities by their last change. No I/O, never blocks.

    It tells of the last `batches` calls of `note`, and of `most()` entities at most, beyond which a whole picture is less to
    send; what is older is forgotten.
    """

    def __init__(self, position: int, batches: int, most: Callable[[], int]) -> None:
        self.position = self.begins = position  # what changed after `begins` is known
        self._batches = batches
        self._most = most
        self._ends: list[int] = []  # positions after each batch, the oldest first
        self._changed: dict[Changed, int] = {}  # in the order of the last change

    def __len__(self) -> int:
        return len(self._changed)

    def note(self, names: Iterable[Changed]) -> None:
        """These changed, in this order."""
        changed, position = self._changed, self.position
        for name in names:
            changed.pop(name, None)
            position += 1
            changed[name] = position
        self.position = position
        self._ends.append(position)
        most = self._most()
        if len(self._ends) >= 2 * self._batches or len(changed) > most + most // 4:
            self._forget(most)

    def _forget(self, most: int) -> None:
        """Many at once: the first of a dict are found behind all that were taken from its front before."""
        self._ends = self._ends[-self._batches - 1 :]
        oldest, changed = self._ends[0] if len(self._ends) > self._batches else self.begins, self._changed
        surplus = list(islice(changed, max(0, len(changed) - most)))
        if surplus:
            oldest = max(oldest, changed[surplus[-1]])
        for name in surplus:
            del changed[name]
        old = []
        for name, at in changed.items():
            if at > oldest:
                break
            old.append(name)
        for name in old:
            del changed[name]
        self.begins = oldest

    def since(self, position: int) -> list[tuple[Changed, int]] | None:
        """What changed after `position`, each once with its position, the oldest first.

        None when that is not known, or is more than is worth telling."""
        if not self.begins <= position <= self.position:
            return None
        most = self._most()
        found: list[tuple[Changed, int]] = []
        for change in reversed(self._changed.items()):
            if change[1] <= position:
                break
            found.append(change)
            if len(found) > most:
                return None
        found.reverse()
        return found
