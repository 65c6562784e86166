"""The bus: topics of records, as Kafka has them. `shared.kafka.KafkaBus` is the real one, `MemoryBus` its twin for tests.

Both pass the same contract suite (`tests/contract/test_bus.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from shared.topics import Topic

Headers = tuple[tuple[str, bytes], ...]
Partition = tuple[str, int]  # topic name, partition number


class Record(Struct, frozen=True, gc=False):
    """One record as it was read; `written` is the broker's stamp, aware UTC. A deleted key has `value` b""."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers
    written: datetime


class Reader(Protocol):
    """Reads partitions from given offsets. It commits nothing: offsets are part of the checkpoint of whoever reads."""

    async def getmany(self, *, timeout_s: float, max_records: int = 2000) -> list[Record]:
        """The next records, each partition's in order; an empty list after `timeout_s` without any.

        Raises BusError when the broker cannot be reached.
        """
        ...

    async def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Read on from these offsets; partitions not named stay where they are."""
        ...

    async def lag(self) -> Mapping[Partition, int]:
        """Records between what was last returned and the end, by partition."""
        ...

    async def close(self) -> None: ...


class Bus(Protocol):
    """A connection to the broker."""

    async def create(self, topics: Iterable[Topic], *, partitions: int = 1) -> None:
        """Create those topics that do not exist. Raises BusError."""
        ...

    async def publish(self, topic: Topic, value: bytes, *, key: str, headers: Headers = ()) -> None:
        """Queue one record for sending; waits only when the send buffer (bounded) is full."""
        ...

    async def flush(self) -> None:
        """Return when everything published so far is acknowledged by the broker. Raises BusError if any was not."""
        ...

    async def read(
        self,
        topics: Iterable[Topic],
        *,
        start: Literal["earliest", "latest"] = "earliest",
        partitions: Iterable[int] | None = None,
    ) -> Reader:
        """A reader of all partitions of `topics`, or of those numbered in `partitions`. Raises BusError."""
        ...

    async def close(self) -> None:
        """Flush and let go of the broker."""
        ...
