"""How long to wait before the next attempt to log in: another wait where the login was refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from services.ingest.connectors.asterisk.failures import What
from shared.backoff import Backoff

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
# Whoever tries a wrong password often is locked out by whatever guards the switch.
REFUSED_FIRST_S: Final = 15.0
REFUSED_LONGEST_S: Final = 300.0


class LoginBackoff:
    """Waits as `shared.backoff` has them, long ones after a wrong password. A failure of the other kind is a first one."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._away = Backoff(FIRST_S, LONGEST_S, chance=chance)
        self._refused = Backoff(REFUSED_FIRST_S, REFUSED_LONGEST_S, chance=chance)

    def worked(self) -> None:
        """A login worked: the next failure is a first one."""
        self._away.worked()
        self._refused.worked()

    def next_s(self, what: What) -> float:
        """The wait after this failure, in seconds."""
        now, other = self._away, self._refused
        if what == "wrong user or password":
            now, other = other, now
        other.worked()
        return now.next_s()
