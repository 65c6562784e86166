"""How fast each user may change what the desk keeps. Pure: the time is given.

Cases and actions are kept for a year, so a script in a loop must not be able to fill the database, nor hold its one writer.
"""

from __future__ import annotations

from shared.errors import FloorwatchError
from shared.pacing import Pacing


class TooManyChanges(FloorwatchError):
    """A user changes more than they may. `wait_s`: whole seconds until the next change is taken."""

    def __init__(self, user: str, per_minute: int, wait_s: int) -> None:
        super().__init__(f"{user} made more than {per_minute} changes within a minute")
        self.wait_s = wait_s


class Changes:
    """What each user changed of late."""

    def __init__(self, per_minute: int) -> None:
        self._pacing = Pacing(per_minute)

    def __len__(self) -> int:
        return len(self._pacing)

    def take(self, user: str, now: float) -> None:
        """`user` changes something at `now` (seconds, monotonic). What is refused costs nothing. Raises TooManyChanges."""
        if wait_s := self._pacing.take(user, now):
            raise TooManyChanges(user, self._pacing.per_minute, wait_s)
