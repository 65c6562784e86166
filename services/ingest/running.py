"""Whether anything runs on a floor for which a timer of seconds may matter: calls, wraps, transfers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from shared import events
from shared.envelope import Data

# What never ends, because an event was lost, must not keep a floor lively for ever, nor grow for ever.
LIMIT = 50_000
LONGEST = timedelta(hours=4)


class Running(Struct):
    """What has begun and not ended: its key, and when it is over at the latest. Times are the switch's clock."""

    open: dict[str, datetime] = {}

    def observe(self, time: datetime, data: Data) -> None:
        """Learn from an event and its time."""
        begins = _BEGINS.get(type(data))
        if begins is not None:
            self._begin(begins(data), getattr(data, "until", None) or time + LONGEST)
        ends = _ENDS.get(type(data))
        if ends is not None:
            self.open.pop(ends(data), None)

    def expire(self, now: datetime) -> None:
        """Let go of what is over by now."""
        for key in [key for key, until in self.open.items() if until <= now]:
            del self.open[key]

    def move(self, by: timedelta) -> None:
        """The switch's clock was set."""
        self.open = {key: until + by for key, until in self.open.items()}

    def clear(self) -> None:
        """Nobody knows any more."""
        self.open.clear()

    def _begin(self, key: str, until: datetime) -> None:
        while len(self.open) >= LIMIT:
            del self.open[next(iter(self.open))]
        self.open[key] = until


Key = Callable[[Data], str]


def _key(word: str, field: str) -> Key:
    return lambda data: f"{word} {getattr(data, field)}"


_CALL, _WRAP, _TRANSFER = _key("call", "call_id"), _key("wrap", "agent_id"), _key("transfer", "transfer_id")

_BEGINS: dict[type[Data], Key] = {
    events.CallStarted: _CALL,
    events.CallQueued: _CALL,
    events.WrapStarted: _WRAP,
    events.TransferRequested: _TRANSFER,
}
_ENDS: dict[type[Data], Key] = {
    events.CallCleared: _CALL,
    events.WrapEnded: _WRAP,
    events.AgentReady: _WRAP,
    events.AgentLoggedOff: _WRAP,
    events.TransferBridged: _TRANSFER,
    events.TransferEnded: _TRANSFER,
}
