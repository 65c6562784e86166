"""Reads a topic into a database. Survives a broker or a database that is away; never loses or doubles a record.

Offsets live in the database, written in the transaction that holds their result (`Sink.take`), so there is no moment at
which one is stored without the other. (What keeps its state in a checkpoint is driven by `shared.pump`.)

A log can be replaced: the embedded broker forgets everything when it stops, while the database stays. An offset of the
old log would then silently skip records of the new one. So the last record that was read is read again first and compared;
when it is another one, or gone, reading starts anew, and the sink sees to it that what it knows changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import structlog
from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from shared.backoff import Backoff
from shared.bus import Bus, Partition, Reader, Record
from shared.clock import Clock
from shared.deadletter import dead_letter
from shared.errors import BusError, InvalidInput, StoreError
from shared.fewlines import FewLines
from shared.positions import Position
from shared.topics import Topic

log = structlog.get_logger(__name__)

BATCH = 500
POLL_S = 0.5
LAG_S = 1.0
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 10.0

INTERNAL_ERROR = "internal_error"
_OUTSIDE = (StoreError, BusError, OSError, MemoryError)  # what no record is to blame for

T = TypeVar("T")


class Item(Struct, Generic[T], frozen=True):
    """One record of a batch with what was read in it; None where only the position moves on."""

    record: Record
    fact: T | None

    @property
    def partition(self) -> Partition:
        return (self.record.topic, self.record.partition)

    @property
    def offset(self) -> int:
        return self.record.offset

    @property
    def written(self) -> datetime:
        """The broker's stamp."""
        return self.record.written


class Sink(Protocol[T]):
    """Where records go. All three raise StoreError while the database is away; `take` passes on what SQL refuses."""

    async def positions(self) -> Mapping[Partition, Position]:
        """How far each partition was read."""
        ...

    async def take(self, items: Sequence[Item[T]]) -> None:
        """Apply a batch and store `after(items)`, all in one transaction; items that were stored before change nothing."""
        ...

    async def start_anew(self) -> None:
        """The broker's log was replaced, or went on without us: no position means anything."""
        ...


class Watch(Protocol):
    """Who hears how it goes."""

    def live(self) -> None: ...

    def lost(self, why: BusError | StoreError) -> None: ...

    def refused(self, reason: str) -> None:
        """A record was put aside."""
        ...

    def not_kept(self, records: int) -> None:
        """So many were removed by the topic's retention before they were read."""
        ...

    def lag(self, records: int) -> None: ...


class LogReplaced(Exception):
    """The partition's log is not the one whose offsets were stored: `position` is of another."""

    def __init__(self, partition: Partition, position: Position) -> None:
        self.partition, self.position = partition, position


class NotKept(LogReplaced):
    """`lost` records behind `position` are no longer kept; `first` is the first one that is."""

    def __init__(self, partition: Partition, position: Position, first: int) -> None:
        super().__init__(partition, position)
        self.first, self.lost = first, first - position.next_offset


def fingerprint(record: Record) -> str:
    """What tells this record from another one at the same place of another log."""
    return hashlib.blake2b(record.value + record.written.isoformat().encode(), digest_size=12).hexdigest()


def fresh(items: Sequence[Item[T]], stored: Mapping[Partition, Position]) -> list[Item[T]]:
    """Those that no earlier transaction holds: redelivered ones, and those of another replica, are left out."""
    nowhere = Position(0, "")
    return [item for item in items if item.offset >= stored.get(item.partition, nowhere).next_offset]


def after(items: Iterable[Item[T]]) -> dict[Partition, Position]:
    """Where to go on when these are stored."""
    last = {item.partition: item.record for item in items}
    return {place: Position(record.offset + 1, fingerprint(record)) for place, record in last.items()}


class Intake(Generic[T]):
    """One topic's way into one database."""

    def __init__(
        self,
        service: str,
        topic: Topic,
        *,
        bus: Bus,
        clock: Clock,
        read: Callable[[Record], T | None],
        sink: Sink[T],
        watch: Watch,
        batch: int = BATCH,
        rest_s: float = 0.0,
    ) -> None:
        """`read` raises InvalidInput for what cannot be used. What else it or `sink` raises is a fault of ours: the record that
        causes it is put aside as `internal_error`.

        `rest_s` parts batches of who is not behind, so that many small transactions become few. `bus` must be nobody else's, for
        dead letters are written to it.
        """
        self._service = service
        self._topic = topic
        self._bus = bus
        self._clock = clock
        self._read = read
        self._sink = sink
        self._watch = watch
        self._batch = batch
        self._rest_s = rest_s
        self._anchors: dict[Partition, Position] = {}
        self._lag_asked_s = -LAG_S
        self._few = FewLines(clock, "more records were put aside")

    async def run(self) -> None:
        """Until cancelled. Whatever is away is tried again, after 0.25 s at first and 10 s at most."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while True:
            try:
                reader = await self._open()
                try:
                    self._watch.live()
                    backoff.worked()
                    while True:
                        await self._step(reader)
                finally:
                    await reader.close()
            except LogReplaced as exc:
                await self._start_anew(exc)
                continue
            except (BusError, StoreError) as exc:
                self._watch.lost(exc)
            await self._clock.sleep(backoff.next_s())

    async def _open(self) -> Reader:
        """A reader that stands where the database says. Raises BusError, StoreError, LogReplaced."""
        stored = await self._sink.positions()
        reader = await self._bus.read([self._topic])
        try:
            bounds = await reader.bounds()
            self._anchors = {}
            for partition, position in stored.items():
                first, end = bounds.get(partition, (0, 0))  # topics lose no partition: one that did is another topic
                if position.next_offset > end:
                    raise LogReplaced(partition, position)
                if position.next_offset < first:
                    raise NotKept(partition, position, first)
                if position.next_offset > first:  # else retention removed what we read, and nothing else
                    self._anchors[partition] = position
            await reader.seek({partition: position.next_offset - 1 for partition, position in self._anchors.items()})
        except BaseException:
            await reader.close()
            raise
        return reader

    async def _step(self, reader: Reader) -> None:
        records = await reader.getmany(timeout_s=POLL_S, max_records=self._batch)
        records = [record for record in records if not self._is_anchor(record)]
        if records:
            await self._take(records)
        behind = len(records) >= self._batch - 1
        await self._tell_lag(reader, behind)
        if records and self._rest_s and not behind:
            await self._clock.sleep(self._rest_s)

    async def _tell_lag(self, reader: Reader, behind: bool) -> None:
        """Who is behind asks now and then: the answer may take the broker as long as a batch takes us."""
        if not behind:
            self._watch.lag(0)
            return
        now_s = self._clock.monotonic()
        if now_s - self._lag_asked_s >= LAG_S:
            self._lag_asked_s = now_s
            self._watch.lag(sum((await reader.lag()).values()))

    def _is_anchor(self, record: Record) -> bool:
        """Whether `record` is the last one of before. Raises LogReplaced when it should be and is another."""
        anchor = self._anchors.pop((record.topic, record.partition), None)
        if anchor is None:
            return False
        if record.offset != anchor.next_offset - 1 or fingerprint(record) != anchor.last_record:
            raise LogReplaced((record.topic, record.partition), anchor)
        return True

    async def _start_anew(self, found: LogReplaced) -> None:
        """Unless another replica has done it since: what it has read of the new log by now is true."""
        try:
            if (await self._sink.positions()).get(found.partition) != found.position:
                return
            self._tell(found)
            await self._sink.start_anew()
            if isinstance(found, NotKept):
                self._watch.not_kept(found.lost)
        except StoreError as exc:
            self._watch.lost(exc)
            await self._clock.sleep(FIRST_WAIT_S)

    def _tell(self, found: LogReplaced) -> None:
        topic, partition = found.partition
        if isinstance(found, NotKept):
            log.error(
                "records_not_kept",
                topic=topic,
                partition=partition,
                offset=found.position.next_offset,
                first=found.first,
                lost=found.lost,
                consequence="nobody read them for longer than the topic keeps them; going on without these records",
            )
        else:
            log.warning(
                "the log was replaced, reading it from its start; what is known changes nothing",
                topic=topic,
                partition=partition,
            )

    async def _take(self, records: Sequence[Record]) -> None:
        """Decode, put aside what cannot be used, apply the rest. A database that is away is waited for. Raises BusError."""
        items, refused = self._read_all(records)
        await self._put_aside(refused)
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while True:
            try:
                await self._apply(items)
                self._watch.live()
                return
            except StoreError as exc:
                self._watch.lost(exc)
                await self._clock.sleep(backoff.next_s())

    async def _apply(self, items: Sequence[Item[T]]) -> None:
        """One transaction for all; when the database refuses it, one for each, to find the record that it refuses."""
        try:
            await self._sink.take(items)
            return
        except _OUTSIDE:
            raise
        except Exception as exc:  # noqa: BLE001  (what the database refuses, or a bug: of one record perhaps)
            if self._few.may("batch"):
                log.warning("a batch was refused, applying it record by record", error=_why(exc))
        for item in items:
            try:
                await self._sink.take([item])
            except _OUTSIDE:
                raise
            except SQLAlchemyError as exc:
                await self._set_aside(item, InvalidInput("not_storable", _why(exc)))
            except Exception as exc:  # noqa: BLE001  (as above)
                await self._set_aside(item, _fault(exc))

    async def _set_aside(self, item: Item[T], why: InvalidInput) -> None:
        await self._put_aside([(item.record, why)])
        await self._sink.take([Item(item.record, None)])

    def _read_all(self, records: Sequence[Record]) -> tuple[list[Item[T]], list[tuple[Record, InvalidInput]]]:
        items: list[Item[T]] = []
        refused: list[tuple[Record, InvalidInput]] = []
        for record in records:
            try:
                fact = self._read(record)
            except InvalidInput as exc:
                fact = None
                refused.append((record, exc))
            except Exception as exc:  # noqa: BLE001  (a bug, of which one record must not become the end of the service)
                fact = None
                refused.append((record, _fault(exc)))
            items.append(Item(record, fact))
        return items, refused

    async def _put_aside(self, refused: Sequence[tuple[Record, InvalidInput]]) -> None:
        """To the dead-letter topic, before the position moves on. Raises BusError."""
        for record, why in refused:
            self._watch.refused(why.reason)
            if self._few.may(why.reason):
                log.warning(
                    "a record cannot be used and was put aside",
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    reason=why.reason,
                    error=str(why),
                    exc_info=why.__cause__ if why.reason == INTERNAL_ERROR else None,
                )
            letter = dead_letter(record, why, self._service)
            await self._bus.publish(letter.topic, letter.value, key=letter.key, headers=letter.headers)
        if refused:
            await self._bus.flush()


def _fault(exc: Exception) -> InvalidInput:
    why = InvalidInput(INTERNAL_ERROR, f"{type(exc).__name__}: {exc}")
    why.__cause__ = exc
    return why


def _why(exc: Exception) -> str:
    return (str(getattr(exc, "orig", None) or exc).splitlines() or [""])[0]
