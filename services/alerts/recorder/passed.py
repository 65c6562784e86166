"""Which records tell what was told before. Pure.

Every record carries its position in the log of raw records, and everybody who publishes the same says it at the same position
(docs/events.md). So what is not beyond the highest position of its site was recorded: a second monitor says it again, or
one that began anew, which may know less of what ran when it began and cut its intervals elsewhere.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.alerts.recorder.reading import Recorded


class Reached(Struct):
    """How far a site was read; offset -1: nothing yet. `until`: the newest time by the switch's clock."""

    partition: int
    offset: int
    index: int
    until: datetime

    def passed(self, one: Recorded) -> bool:
        """Whether `one` was told before; else go on to its position.

        A position that is not beyond, of what is newer than all that is known, is of another log: positions begin anew there.
        """
        partition, offset, index = one.place
        if offset < 0:
            return False
        if partition == self.partition and (offset, index) <= (self.offset, self.index) and one.time <= self.until:
            return True
        self.partition, self.offset, self.index = one.place
        self.until = max(self.until, one.time)
        return False
