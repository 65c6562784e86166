"""Takes messages from the outbox to the broker: who made one sends it at once, and where that failed any replica does later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from services.monitor.desk.store import Store
from services.monitor.listen.book import TOPICS, Book, Posted
from services.monitor.listen.metrics import ListenMetrics
from shared.bus import Bus
from shared.clock import Clock
from shared.errors import BusError, StoreError

LATE_S: Final = 2.0  # who made a message has sent it by then
_LOOK_S: Final = 1.0
_BATCH: Final = 200

log = structlog.get_logger()


class Courier:
    """One writer on a bus of its own."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, metrics: ListenMetrics) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._turn = asyncio.Lock()
        self._sent: list[int] = []
        self._trouble = ""

    async def send(self, messages: Sequence[Posted]) -> bool:
        """Have the broker take these; False when it does not: they are sent later then."""
        if not messages:
            return True
        async with self._turn:
            try:
                for one in messages:
                    await self._bus.publish(TOPICS[one.topic], one.value, key=one.key)
                await self._bus.flush()
            except BusError as exc:
                if not self._trouble:
                    log.warning("orders of listening wait: the broker takes nothing", why=str(exc))
                self._trouble = str(exc)
                return False
        self._trouble = ""
        self._sent += [one.id for one in messages]
        return True

    async def run(self) -> None:
        """Until cancelled: forget what was sent, and send what nobody did."""
        while True:
            with contextlib.suppress(StoreError):  # the store has said so
                await self.sweep()
            await self._clock.sleep(_LOOK_S)

    async def sweep(self) -> None:
        """Once. Raises StoreError."""
        await self._forget()
        async with self._store.reading() as session:
            left = await Book(session).waiting(self._clock.now() - timedelta(seconds=LATE_S), _BATCH)
        self._metrics.unsent.set(len(left))
        if left and await self.send(left):
            await self._forget()

    async def _forget(self) -> None:
        if self._sent:
            ids, self._sent = self._sent, []
            try:
                async with self._store.unit_of_work() as session:
                    await Book(session).sent(ids)
            except StoreError:
                self._sent = ids + self._sent
                raise
