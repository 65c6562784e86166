"""Which entities changed since a position: what a client that was away, or was slow, has to be told.

Each change has a position of its own, and only the last of each entity is kept: its name, for the value is in the book. So
one who missed a thousand changes of one agent is told the last; what is kept grows with the floor and not with what happens
on it; and wherever a client stops reading, it stops at a position from which it can be told the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.monitor.core.engine import Changed

# of ten thousand agents and all their calls of some minutes; who missed more is better off with a snapshot
MAX_NAMES: Final = 50_000


class ChangeLog:
    """Names of changed entities by their last change. No I/O, never blocks.

    It tells of the last `batches` calls of `note`, and of `max_names` entities at most; what is older is forgotten.
    """

    def __init__(self, position: int, batches: int, max_names: int = MAX_NAMES) -> None:
        self.position = self.begins = position  # what changed after `begins` is known
        self._batches = batches
        self._max = max_names
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
        if len(self._ends) >= 2 * self._batches or len(changed) > self._max:
            self._forget()

    def _forget(self) -> None:
        self._ends = self._ends[-self._batches - 1 :]
        oldest, changed = self._ends[0] if len(self._ends) > self._batches else self.begins, self._changed
        while changed:
            name = next(iter(changed))
            if changed[name] > oldest and len(changed) <= self._max:
                break
            oldest = max(oldest, changed.pop(name))
        self.begins = oldest

    def since(self, position: int, most: int) -> list[tuple[Changed, int]] | None:
        """What changed after `position`, each once with its position, the oldest first.

        None when that is not known, or is more than `most`."""
        if not self.begins <= position <= self.position:
            return None
        found: list[tuple[Changed, int]] = []
        for change in reversed(self._changed.items()):
            if change[1] <= position:
                break
            found.append(change)
            if len(found) > most:
                return None
        found.reverse()
        return found
