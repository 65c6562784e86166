"""Drops what was seen before, in memory that does not grow: one position for each site and partition.

It works because a site's positions are passed in order: a writer publishes them in order, and starts over no later than
what it last flushed (`shared.bus.Bus`); several writers (replicas) publish the same. Between sites there is no such order: what a
timer makes true on one has the position of that site's last event, however far the others of its partition are.
"""

from __future__ import annotations

from collections.abc import Iterable


class Passed:
    """The last position passed of each site, in each partition of the topic that positions refer to."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], tuple[int, int]] = {}

    def seen(self, site: str, partition: int, offset: int, index: int) -> bool:
        """Whether this position was passed before; if not, it is now. What has no position (-1) was never seen."""
        if partition < 0:
            return False
        position = (offset, index)
        if position <= self._last.get((site, partition), (-1, -1)):
            return True
        self._last[site, partition] = position
        return False

    def dump(self) -> list[tuple[str, int, int, int]]:
        """(site, partition, offset, index) for each site and partition, for a checkpoint."""
        return [(*place, *position) for place, position in sorted(self._last.items())]

    def load(self, state: Iterable[tuple[str, int, int, int]]) -> None:
        """Replace the memory by what `dump` gave."""
        self._last = {(site, partition): (offset, index) for site, partition, offset, index in state}
