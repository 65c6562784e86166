"""How receivers fare, for whoever asks: the page, `/metrics`, `GET /routing`. A receiver is as well as its worst channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import select

from services.alerts.core.sending import Health
from services.alerts.reach.channels import Channels
from services.alerts.reach.queue import Lane
from services.alerts.reach.tables import ChannelRow
from shared.db import Database

_ORDER: Final[tuple[Health, ...]] = ("ok", "failing", "dead")
OUTCOMES: Final = ("sent", "retried", "failed")


class ChannelState(Struct, frozen=True):
    """`since`: when it began to fail, or became dead; `answer`: what it said last, when it does not work."""

    label: str
    state: Health = "ok"
    since: datetime | None = None
    answer: str = ""


class ReceiverState(Struct, frozen=True):
    """A receiver with its channels; `then`: who is told instead when it is dead."""

    name: str
    state: Health
    since: datetime | None
    channels: tuple[ChannelState, ...]
    then: str = ""


class ReceiverStates:
    """What `refresh` found last; `changed` is told when that is something else than before. `doubtful`: something happened since
    that may have changed how one fares.
    """

    changed: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, database: Database, channels: Callable[[], Channels], registry: CollectorRegistry) -> None:
        self._database = database
        self._channels = channels
        self._rows: Mapping[Lane, ChannelRow] = {}
        self._up = Gauge(
            "alerts_receiver_up",
            "1 while messages reach the receiver, 0 while it is dead",
            ["receiver"],
            registry=registry,
        )
        self._sends = Counter(
            "alerts_receiver_sends", "Attempts to send, by how they ended", ["receiver", "outcome"], registry=registry
        )
        self.doubtful = True
        self._known: set[str] = set()
        self._last: tuple[ReceiverState, ...] = ()
        self._note()

    def of(self, name: str) -> ReceiverState | None:
        """How one fares; None when there is no such receiver."""
        channels = self._channels()
        if name not in channels.receivers:
            return None
        found = tuple(self._channel(Lane(name, one.key), one.label) for one in channels.of[name])
        worst = max(found, key=lambda one: _ORDER.index(one.state), default=ChannelState(""))
        return ReceiverState(name, worst.state, worst.since, found, channels.then.get(name, ""))

    def all(self) -> tuple[ReceiverState, ...]:
        """All that the alert file names."""
        return tuple(found for name in self._channels().receivers if (found := self.of(name)) is not None)

    def attempted(self, receiver: str, outcome: str) -> None:
        """Count an attempt."""
        self._sends.labels(receiver, outcome).inc()
        known = self.of(receiver)
        if outcome != "sent" or known is None or known.state != "ok":
            self.doubtful = True

    async def refresh(self) -> None:
        """Ask the database. Raises StoreError."""
        self.doubtful = False
        try:
            await self._ask()
        except BaseException:
            self.doubtful = True
            raise
        self._note()

    async def _ask(self) -> None:
        async with self._database.reading() as session:
            rows = await session.scalars(select(ChannelRow))
            self._rows = {Lane(row.receiver, row.channel_key): row for row in rows}

    def _note(self) -> None:
        found = self.all()
        for gone in self._known - {one.name for one in found}:
            self._up.remove(gone)
        for one in found:
            self._up.labels(one.name).set(0 if one.state == "dead" else 1)
            for outcome in OUTCOMES:
                self._sends.labels(one.name, outcome)
        self._known = {one.name for one in found}
        if found != self._last:
            self._last = found
            self.changed()

    def _channel(self, lane: Lane, label: str) -> ChannelState:
        row = self._rows.get(lane)
        if row is None or row.failing_since is None:
            return ChannelState(label)
        if row.dead_since is None:
            return ChannelState(label, "failing", row.failing_since, row.answer)
        return ChannelState(label, "dead", row.dead_since, row.answer)
