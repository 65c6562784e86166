"""Drops what was seen before, in memory that does not grow: one position for each partition.

It works because positions are passed in order: a writer publishes them in order, and starts over no later than
what it last flushed (`shared.bus.Bus`).
"""

from __future__ import annotations

from collections.abc import Iterable


class Passed:
    """The last position passed in each partition of the topic that positions refer to."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, int]] = {}

    def seen(self, partition: int, offset: int, index: int) -> bool:
        """Whether this position was passed before; if not, it is now. What has no position (-1) was never seen."""
        if partition < 0:
            return False
        position = (offset, index)
        if position <= self._last.get(partition, (-1, -1)):
            return True
        self._last[partition] = position
        return False

    def dump(self) -> list[tuple[int, int, int]]:
        """(partition, offset, index) for each partition, for a checkpoint."""
        return [(partition, *position) for partition, position in sorted(self._last.items())]

    def load(self, state: Iterable[tuple[int, int, int]]) -> None:
        """Replace the memory by what `dump` gave."""
        self._last = {partition: (offset, index) for partition, offset, index in state}
