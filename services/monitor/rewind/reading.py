"""Reading a stretch of a topic, and no further."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from shared.bus import Partition, Reader, Record

Offsets = Mapping[Partition, int]

_PATIENCE_S: Final = 0.1


async def between(reader: Reader, lower: Offsets, upper: Offsets, *, batch: int = 2000) -> AsyncIterator[list[Record]]:
    """The records from `lower` up to `upper`, batch by batch, each partition's in order. Raises BusError, OffsetLost.

    Ends early where there are no more: what a broker removed leaves holes, also before the end.
    """
    await reader.seek(lower)
    left = {place for place, offset in lower.items() if offset < upper.get(place, 0)}
    while left:
        records = await reader.getmany(timeout_s=_PATIENCE_S, max_records=batch)
        wanted = []
        for record in records:
            place = (record.topic, record.partition)
            if record.offset < upper.get(place, 0):
                wanted.append(record)
            if record.offset + 1 >= upper.get(place, 0):
                left.discard(place)
        if wanted:
            yield wanted
        if not records and not any((await reader.lag()).values()):
            return
