"""Reads the last minutes of `listen.orders`, and then orders as they come.

Each open listen is prolonged, and so ordered anew, every 15 s, and a fork is waited for only for seconds. So what counts now is
in the last minute; how many records that is, the records' stamps say. The other minute is for clocks that differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.monitor.listen.contract import Order, decode_order
from shared import topics
from shared.backoff import Backoff
from shared.bus import Bus, Partition, Reader, Record
from shared.clock import Clock
from shared.errors import BusError, InvalidInput

log = structlog.get_logger()

_POLL_S: Final = 1.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 2.0
_TIDY_S: Final = 60.0
READ_BACK: Final = timedelta(minutes=2)  # before a partition's newest order
_FIRST_BACK: Final = 2000  # records: what 200 listens are in two minutes
_AT_ONCE: Final = 100  # orders, a millisecond's; then voices have a turn


class Intake:
    """The way of orders to the hub. A reader that broke is made anew, and reads back again: an order twice changes nothing."""

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
        backoff = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        while True:
            try:
                reader = await self._bus.read([topics.LISTEN_ORDERS])
                try:
                    await self._follow(reader, backoff)
                finally:
                    await reader.close()
            except BusError as exc:
                self._trouble = f"waiting for the broker: {exc}"
                log.warning("no orders: the broker is away", why=str(exc))
                await self._clock.sleep(backoff.next_s())

    async def _follow(self, reader: Reader, backoff: Backoff) -> None:
        await self._catch_up(reader)
        backoff.worked()
        self._trouble = None
        self._caught_up()
        while True:
            await self._read(await reader.getmany(timeout_s=_POLL_S))
            if self._clock.monotonic() - self._tidied > _TIDY_S:
                self._tidied = self._clock.monotonic()
                self._tidy()

    async def _catch_up(self, reader: Reader) -> None:
        """Read what was ordered lately in each partition; further back where so many records are not old enough yet."""
        back = _FIRST_BACK
        places = {place: (first, end) for place, (first, end) in (await reader.bounds()).items() if end > first}
        while places:
            begins = {place: max(first, end - back) for place, (first, end) in places.items()}
            await reader.seek(begins)
            oldest, newest = await self._read_to({place: end for place, (_, end) in places.items()}, reader)
            back *= 4
            places = {
                place: (first, end)
                for place, (first, end) in places.items()
                if begins[place] > first and newest[place] - oldest[place] < READ_BACK
            }

    async def _read_to(
        self, ends: dict[Partition, int], reader: Reader
    ) -> tuple[dict[Partition, datetime], dict[Partition, datetime]]:
        """Read up to these offsets; when the first and the last of each partition were written."""
        oldest: dict[Partition, datetime] = {}
        newest: dict[Partition, datetime] = {}
        while ends:
            records = await reader.getmany(timeout_s=_POLL_S)
            await self._read(records)
            for record in records:
                place = (record.topic, record.partition)
                oldest.setdefault(place, record.written)
                newest[place] = record.written
                if place in ends and record.offset + 1 >= ends[place]:
                    del ends[place]
        return oldest, newest

    async def _read(self, records: Sequence[Record]) -> None:
        for number, record in enumerate(records):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            self._read_one(record)

    def _read_one(self, record: Record) -> None:
        try:
            order = decode_order(record.value)
        except InvalidInput as exc:
            self.refused += 1
            log.warning("an order cannot be read", partition=record.partition, offset=record.offset, why=str(exc))
            return
        self._take(order)
