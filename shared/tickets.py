"""Single-use tickets: a browser cannot put a header on a WebSocket, and its cookie would go with another site's page too."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Final, Generic, TypeVar

from shared.clock import Clock

TICKET_S: Final = 30.0
PER_USER: Final = 1000  # a hall of screens that come back at once; who asks for more loses the oldest
TOTAL: Final = 20_000

T = TypeVar("T")


class Tickets(Generic[T]):
    """What was handed out and not used yet, oldest first. Bounded per user and in all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[str, tuple[float, str, T]] = (
            OrderedDict()
        )  # ticket -> its end, for whom, what it stands for
        self._count: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def issue(self, user: str, value: T) -> str:
        """A new ticket that stands for `value` for TICKET_S, once."""
        self._forget_old()
        if self._count.get(user, 0) >= PER_USER:
            self._drop(next(ticket for ticket, (_, owner, _) in self._open.items() if owner == user))
        elif len(self._open) >= TOTAL:
            self._drop(next(iter(self._open)))
        ticket = secrets.token_urlsafe(24)
        self._open[ticket] = (self._clock.monotonic() + TICKET_S, user, value)
        self._count[user] = self._count.get(user, 0) + 1
        return ticket

    def redeem(self, ticket: str) -> T | None:
        """What the ticket stands for; None when it is used, too old or none of ours."""
        self._forget_old()
        found = self._open.get(ticket)
        if found is None:
            return None
        self._drop(ticket)
        return found[2]

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        while self._open:
            ticket, (until, _, _) = next(iter(self._open.items()))
            if until > now:
                return
            self._drop(ticket)

    def _drop(self, ticket: str) -> None:
        _, user, _ = self._open.pop(ticket)
        left = self._count[user] - 1
        if left:
            self._count[user] = left
        else:
            del self._count[user]
