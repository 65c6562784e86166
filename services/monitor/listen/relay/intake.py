"""Reads `listen.orders` from the beginning, and then as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from services.monitor.listen.contract import Order, decode_order
from shared import topics
from shared.bus import Bus, Reader, Record
from shared.clock import Clock
from shared.errors import BusError, InvalidInput

log = structlog.get_logger()

_POLL_S: Final = 1.0
_RETRY_S: Final = 1.0
_TIDY_S: Final = 600.0


class Intake:
    """The way of orders to the hub. A reader that broke is made anew, from the beginning: an order twice changes nothing."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        take: Callable[[Order], None],
        caught_up: Callable[[], None],
        tidy: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._take = take
        self._caught_up = caught_up
        self._tidy = tidy
        self._tidied = clock.monotonic()
        self._trouble: str | None = "reading the orders that there are"
        self.refused = 0

    def check(self) -> str | None:
        """For readiness: why orders are not heard; None when they are."""
        return self._trouble

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                reader = await self._bus.read([topics.LISTEN_ORDERS])
                try:
                    await self._follow(reader)
                finally:
                    await reader.close()
            except BusError as exc:
                self._trouble = f"waiting for the broker: {exc}"
                log.warning("no orders: the broker is away", why=str(exc))
                await self._clock.sleep(_RETRY_S)

    async def _follow(self, reader: Reader) -> None:
        ends = {place: end for place, (first, end) in (await reader.bounds()).items() if end > first}
        while True:
            if not ends:
                self._trouble = None
                self._caught_up()
            for record in await reader.getmany(timeout_s=_POLL_S):
                self._read(record)
                place = (record.topic, record.partition)
                if place in ends and record.offset + 1 >= ends[place]:
                    del ends[place]
            if self._clock.monotonic() - self._tidied > _TIDY_S:
                self._tidied = self._clock.monotonic()
                self._tidy()

    def _read(self, record: Record) -> None:
        try:
            order = decode_order(record.value)
        except InvalidInput as exc:
            self.refused += 1
            log.warning("an order cannot be read", partition=record.partition, offset=record.offset, why=str(exc))
            return
        self._take(order)
