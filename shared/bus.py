"""The bus: topics of records, as Kafka has them. `shared.kafka.KafkaBus` is the real one, `MemoryBus` its twin for tests.

Both pass the same contract suite (`tests/contract/test_bus.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, Protocol

import structlog
from msgspec import Struct

from shared.errors import BusError, InvalidInput
from shared.topics import SWITCH_DEAD_LETTER, Topic

log = structlog.get_logger()

Headers = tuple[tuple[str, bytes], ...]
Partition = tuple[str, int]  # topic name, partition number

# Key, value and headers of one record together. Kafka's own default per message is 1 MiB, its framing included.
MAX_RECORD_BYTES: Final = 1_000_000
# A dead letter is a record as large as allowed, and what is said about it.
MAX_DEAD_LETTER_BYTES: Final = MAX_RECORD_BYTES + 32_000


class Record(Struct, frozen=True, gc=False):
    """One record as it was read; `written` is the broker's stamp, aware UTC. Of a deleted key `value` is b"", as of a
    header that has none."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers
    written: datetime


class Outgoing(Struct, frozen=True, gc=False):
    """A record to publish."""

    topic: Topic
    key: str
    value: bytes
    headers: Headers = ()


class Reader(Protocol):
    """Reads partitions from given offsets. It commits nothing: offsets are part of the checkpoint of whoever reads."""

    async def getmany(self, *, timeout_s: float, max_records: int = 2000) -> list[Record]:
        """The next records, each partition's in order; an empty list after `timeout_s` without any.

        Raises BusError when the broker cannot be reached, OffsetLost when what comes next is not there; `seek` then, or
        close this reader.
        """
        ...

    async def bounds(self) -> Mapping[Partition, tuple[int, int]]:
        """The first offset that is kept and the one that the next record will get, by partition. Raises BusError."""
        ...

    async def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Read on from these offsets; partitions not named stay where they are."""
        ...

    async def lag(self) -> Mapping[Partition, int]:
        """Records between what was last returned and the end, by partition. Raises BusError like `getmany`."""
        ...

    @property
    def eases(self) -> bool:
        """Whether it asks the broker less often the more that holds."""
        ...

    def overdue_s(self) -> float:
        """For how long the broker owes word of what there is to read, of some partition, seconds; 0 while all is well."""
        ...

    async def close(self) -> None: ...


class Bus(Protocol):
    """A connection to the broker, for one writer.

    Records of one key arrive in the order in which they were published. Once a record could not be sent nothing published
    behind it is sent either, and the next `publish` or `flush` raises BusError: publish again from what was last flushed.
    Two writers therefore need two connections, or one of them never hears of the failure.
    """

    async def create(self, topics: Iterable[Topic], *, partitions: int = 1) -> None:
        """Create those topics that do not exist. Raises BusError."""
        ...

    async def publish(self, topic: Topic, value: bytes, *, key: str, headers: Headers = ()) -> None:
        """Queue one record for sending; waits only when the send buffer (bounded) is full.

        Raises BusError, and InvalidInput `too_large` for a record over MAX_RECORD_BYTES, a dead letter over
        MAX_DEAD_LETTER_BYTES (which queues nothing).
        """
        ...

    async def flush(self) -> None:
        """Return when everything published so far is acknowledged by the broker. Raises BusError if any was not."""
        ...

    def unsent_s(self) -> float:
        """Age of the oldest record that is published and not acknowledged, seconds: 0 when there is none, infinite when
        sending failed and nobody was told yet: `flush` tells."""
        ...

    def forget_unsent(self) -> None:
        """Send no more of what is not acknowledged, and tell nobody that it failed: its writer has gone back to what was
        last flushed and publishes it again. What is on its way may still arrive."""
        ...

    async def read(
        self,
        topics: Iterable[Topic],
        *,
        start: Literal["earliest", "latest"] = "earliest",
        partitions: Iterable[int] | None = None,
        patience_s: float = 0.0,
    ) -> Reader:
        """A reader of all partitions of `topics`, or of those numbered in `partitions`. Raises BusError.

        `patience_s`: records may come so much later, many at a time, which costs everybody less.
        """
        ...

    async def close(self) -> None:
        """Flush and let go of the broker. Raises BusError like `flush`."""
        ...


async def part(*buses: Bus) -> None:
    """Close at the end of a process. What could not be sent is no failure then: no checkpoint covers what caused it."""
    for bus in buses:
        try:
            await bus.close()
        except BusError as exc:
            log.warning("not everything could be written before the end; the next start writes it again", why=str(exc))


def check_size(topic: Topic, key: bytes, value: bytes, headers: Headers) -> int:
    """Bytes of a record as MAX_RECORD_BYTES counts them. Raises InvalidInput `too_large`."""
    size = size_of(key, value, headers)
    most = MAX_DEAD_LETTER_BYTES if topic is SWITCH_DEAD_LETTER else MAX_RECORD_BYTES
    if size > most:
        raise InvalidInput("too_large", f"a record of {size} bytes for {topic.name} is over the {most} allowed")
    return size


def size_of(key: bytes, value: bytes, headers: Headers) -> int:
    """Bytes of a record without its framing."""
    size = len(key) + len(value)
    for name, content in headers:
        size += len(name) + len(content)
    return size


def check_assigned(offsets: Mapping[Partition, int], assigned: Mapping[Partition, int]) -> None:
    """Raises BusError for a partition that the reader does not read."""
    for topic, number in offsets:
        if (topic, number) not in assigned:
            raise BusError(f"{topic}[{number}] is not read by this reader, so it cannot be sought")


def beyond_end(place: Partition, offset: int, end: int) -> str:
    return (
        f"{place[0]}[{place[1]}]: offset {offset} is beyond the end, {end}: the topic was made anew since it was read"
    )


def not_kept(place: Partition, offset: int, first: int) -> str:
    return f"{place[0]}[{place[1]}]: offset {offset} is no longer kept, the first is {first}"
