"""A snapshot that is put together part by part, while it is sent.

Only where its parts begin is settled at first. Each holds its entities as they are when somebody needs it: later than the
snapshot's position, which does no harm, since everything that changed after that position is told afterwards anyway. So
a reader that stops in the middle of a large floor holds a few names and no copy of the floor.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence

from services.monitor.core.engine import Changed
from services.monitor.core.floor import Kind
from services.monitor.feed.book import Book
from services.monitor.feed.frames import ROOM

Seen = Callable[[Kind], Collection[Changed] | None]  # the names of a kind that are seen; None: all


class Picture:
    """What is in which part. `made`: when, by the loop's clock."""

    def __init__(self, book: Book, kinds: Sequence[Kind], seen: Seen, position: int, made: float) -> None:
        self.position = position
        self.made = made
        self.entities = 0
        self._book = book
        self._kinds = kinds
        self._seen = seen
        self._first: list[tuple[int, Changed]] = []  # of each part but the first, by number of its kind
        self._divide()

    @property
    def parts(self) -> int:
        """How many there are; at least one."""
        return len(self._first) + 1

    def _divide(self) -> None:
        size = 0
        for number, kind in enumerate(self._kinds):
            entries, seen = self._book.entries(kind), self._seen(kind)
            for name in self._book.names(kind):
                if seen is not None and name not in seen:
                    continue
                length = len(entries[name].value) + 1
                if size and size + length > ROOM:
                    self._first.append((number, name))
                    size = 0
                size += length
                self.entities += 1

    def part(self, number: int) -> dict[Kind, list[bytes]]:
        """The entities of part `number`, from 0, as they are now."""
        begin = self._first[number - 1] if number else (0, None)
        end = self._first[number] if number < len(self._first) else (len(self._kinds) - 1, None)
        found: dict[Kind, list[bytes]] = {}
        for place in range(begin[0], end[0] + 1):
            kind = self._kinds[place]
            names, entries, seen = self._book.names(kind), self._book.entries(kind), self._seen(kind)
            low = bisect_left(names, begin[1]) if place == begin[0] and begin[1] is not None else 0
            high = bisect_left(names, end[1]) if place == end[0] and end[1] is not None else len(names)
            found[kind] = [entries[name].value for name in names[low:high] if seen is None or name in seen]
        return found
