"""Counting exactly: what had to come, what came, and between the two what is lost, doubled or nobody's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """One kind of thing. `due`: each that must come, with the second of the load at which it was due; `seen`: each that came.

    `allowed`: how many copies of a thing may have come beyond the first, because they say of themselves that they are copies.
    """

    name: str
    due: Mapping[Hashable, float]
    seen: Counter[Hashable] = field(default_factory=Counter)
    allowed: Counter[Hashable] = field(default_factory=Counter)

    def take(self, things: Iterable[Hashable]) -> None:
        self.seen.update(things)

    @property
    def lost(self) -> list[Hashable]:
        return [one for one in self.due if not self.seen[one]]

    @property
    def doubled(self) -> list[Hashable]:
        return [one for one, times in self.seen.items() if one in self.due and times > 1 + self.allowed[one]]

    @property
    def strange(self) -> list[Hashable]:
        """What came and was never due."""
        return [one for one in self.seen if one not in self.due]

    @property
    def exact(self) -> bool:
        return not (self.lost or self.doubled or self.strange)

    @property
    def complete(self) -> bool:
        """Whether everything has come, for one who still waits."""
        return all(self.seen[one] for one in self.due)

    def between(self, begin_s: float, end_s: float) -> tuple[int, int]:
        """How many were lost and doubled of those that were due from `begin_s` until `end_s`."""
        lost = sum(begin_s <= self.due[one] < end_s for one in self.lost)
        return lost, sum(begin_s <= self.due[one] < end_s for one in self.doubled)

    def words(self, examples: int = 3) -> str:
        """One line for people."""
        said = f"{len(self.due)} due, {sum(self.seen.values())} came"
        for word, found in (("lost", self.lost), ("doubled", self.doubled), ("never due", self.strange)):
            if found:
                said += f"; {len(found)} {word}, such as {', '.join(map(str, found[:examples]))}"
        return said
