"""Reads `floor.flags` into incidents. Survives a broker or a database that is away; never loses or doubles a flag.

Offsets live in the database, written in the transaction that holds their result (`desk.Desk.take`), so there is no
moment at which one is stored without the other.

A log can be replaced: the embedded broker forgets everything when it stops, while the database stays. An offset of the
old log would then silently skip flags of the new one. So the last record that was read is read again first and compared;
when it is another one, or gone, reading starts anew (known flags change nothing).
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.alerts.desk import Desk, Item
from services.alerts.intake import fingerprint, read
from services.alerts.link import Link
from services.alerts.metrics import AlertsMetrics
from services.alerts.repositories import Position, Positions
from shared.bus import Bus, Partition, Reader, Record
from shared.clock import Clock
from shared.db import Database
from shared.deadletter import dead_letter
from shared.errors import BusError, InvalidInput, StoreError
from shared.topics import FLOOR_FLAGS

log = structlog.get_logger(__name__)

BATCH = 500
POLL_S = 0.5
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 10.0


class LogReplaced(Exception):
    """The partition's log is not the one whose offsets were stored."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition


class Pipeline:
    def __init__(
        self, *, bus: Bus, database: Database, desk: Desk, clock: Clock, link: Link, metrics: AlertsMetrics
    ) -> None:
        self._bus = bus
        self._database = database
        self._desk = desk
        self._clock = clock
        self._link = link
        self._metrics = metrics
        self._anchors: dict[Partition, Position] = {}

    async def run(self) -> None:
        """Until cancelled. Whatever is away is tried again, after 0.25 s at first and 10 s at most."""
        wait = FIRST_WAIT_S
        while True:
            reached_live = False
            try:
                reader = await self._open()
                try:
                    self._set_live()
                    reached_live = True
                    while True:
                        await self._step(reader)
                finally:
                    await reader.close()
            except LogReplaced as exc:
                await self._start_anew(exc.partition)
                continue
            except (BusError, StoreError) as exc:
                self._set_lost(str(exc))
            wait = FIRST_WAIT_S if reached_live else min(LONGEST_WAIT_S, wait * 2)
            await self._clock.sleep(wait)

    async def _open(self) -> Reader:
        """A reader that stands where the database says. Raises BusError, StoreError, LogReplaced."""
        async with self._database.reading() as session:
            stored = await Positions(session).all(FLOOR_FLAGS.name)
        reader = await self._bus.read([FLOOR_FLAGS])
        try:
            bounds = await reader.bounds()
            self._anchors = {}
            for partition, position in stored.items():
                if partition not in bounds:
                    continue
                first, end = bounds[partition]
                if position.next_offset > end:
                    raise LogReplaced(partition)
                if (
                    position.next_offset > first
                ):  # else retention removed what we read, and what we did not is `first` on
                    self._anchors[partition] = position
            await reader.seek({partition: position.next_offset - 1 for partition, position in self._anchors.items()})
        except BaseException:
            await reader.close()
            raise
        return reader

    async def _step(self, reader: Reader) -> None:
        records = await reader.getmany(timeout_s=POLL_S, max_records=BATCH)
        records = [record for record in records if not self._is_anchor(record)]
        if records:
            await self._take(records)
        self._metrics.lag.set(sum((await reader.lag()).values()) if len(records) == BATCH else 0)

    def _is_anchor(self, record: Record) -> bool:
        """Whether `record` is the last one of before. Raises LogReplaced when it should be and is another."""
        anchor = self._anchors.pop((record.topic, record.partition), None)
        if anchor is None:
            return False
        if record.offset != anchor.next_offset - 1 or fingerprint(record) != anchor.last_record:
            raise LogReplaced((record.topic, record.partition))
        return True

    async def _start_anew(self, partition: Partition) -> None:
        log.warning(
            "the log was replaced, reading it from its start; flags that are known change nothing",
            topic=partition[0],
            partition=partition[1],
        )
        try:
            await self._desk.start_anew(FLOOR_FLAGS.name)
        except StoreError as exc:
            self._set_lost(str(exc))
            await self._clock.sleep(FIRST_WAIT_S)

    async def _take(self, records: Sequence[Record]) -> None:
        """Decode, put aside what cannot be used, apply the rest. A database that is away is waited for. Raises BusError."""
        items, refused = _read_all(records)
        await self._put_aside(refused)
        wait = FIRST_WAIT_S
        while True:
            try:
                await self._apply(records, items)
                self._set_live()
                return
            except StoreError as exc:
                self._set_lost(str(exc))
                await self._clock.sleep(wait)
                wait = min(LONGEST_WAIT_S, wait * 2)

    async def _apply(self, records: Sequence[Record], items: Sequence[Item]) -> None:
        """One transaction for all; when the database refuses it, one for each, to find the record that it refuses."""
        try:
            await self._desk.take(FLOOR_FLAGS.name, items)
            return
        except SQLAlchemyError as exc:
            log.warning("a batch was refused by the database, applying it record by record", error=_first_line(exc))
        for record, item in zip(records, items, strict=True):
            try:
                await self._desk.take(FLOOR_FLAGS.name, [item])
            except SQLAlchemyError as exc:
                await self._put_aside([(record, InvalidInput("not_storable", _first_line(exc)))])
                nothing = Item(item.partition, item.offset, item.fingerprint, item.written, None)
                await self._desk.take(FLOOR_FLAGS.name, [nothing])

    async def _put_aside(self, refused: Sequence[tuple[Record, InvalidInput]]) -> None:
        """To the dead-letter topic, before the position moves on. Raises BusError."""
        for record, why in refused:
            self._metrics.dead_letters.labels(why.reason).inc()
            log.warning(
                "a record cannot be used and was put aside",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=why.reason,
                error=str(why),
            )
            letter = dead_letter(record, why, "alerts")
            try:
                await self._bus.publish(letter.topic, letter.value, key=letter.key, headers=letter.headers)
            except (
                InvalidInput
            ) as exc:  # with its headers it no longer fits; its place in the topic is in the log above
                log.error("a dead letter could not be written", offset=record.offset, error=str(exc))
        if refused:
            await self._bus.flush()

    def _set_live(self) -> None:
        if self._link.status.state != "live":
            log.info("reading flags", topic=FLOOR_FLAGS.name)
        self._link.live()
        self._metrics.connected.set(1)

    def _set_lost(self, reason: str) -> None:
        if self._link.status.reason != reason:
            log.warning("flags do not arrive", reason=reason)
        self._link.lost(reason)
        self._metrics.connected.set(0)


def _read_all(records: Sequence[Record]) -> tuple[list[Item], list[tuple[Record, InvalidInput]]]:
    items: list[Item] = []
    refused: list[tuple[Record, InvalidInput]] = []
    for record in records:
        try:
            fact = read(record)
        except InvalidInput as exc:
            fact = None
            refused.append((record, exc))
        place = (record.topic, record.partition)
        items.append(Item(place, record.offset, fingerprint(record), record.written, fact))
    return items, refused


def _first_line(exc: SQLAlchemyError) -> str:
    return str(getattr(exc, "orig", None) or exc).splitlines()[0]
