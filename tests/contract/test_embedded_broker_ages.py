"""The embedded broker looks through all it holds for each fetch; its readers must still get what is new."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.kafka import KafkaBus
from shared.topics import Topic

AGED = Topic("aged", "test", timedelta(days=1))
HELD = 40_000  # batches: looking through them takes longer than the 20 ms that a fetch may wait at first


async def test_what_is_new_is_read_behind_forty_thousand_old_batches(kafka_bootstrap: str) -> None:
    writer, bus = KafkaBus(kafka_bootstrap), KafkaBus(kafka_bootstrap)
    try:
        await writer.create([AGED])
        for number in range(HELD):
            await writer.publish(AGED, str(number).encode(), key="a")
            await writer.flush()  # each a batch of its own
        reader = await bus.read([AGED], start="latest")
        try:
            async with asyncio.timeout(60):
                for number in range(HELD, HELD + 3):
                    await writer.publish(AGED, str(number).encode(), key="a")
                    await writer.flush()
                    found = []
                    while not found:
                        found = await reader.getmany(timeout_s=1.0)
                    assert [record.value for record in found] == [str(number).encode()]
        finally:
            await reader.close()
    finally:
        await writer.close()
        await bus.close()
