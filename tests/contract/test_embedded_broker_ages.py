"""The embedded broker looks through all it holds for each fetch; its readers must still get what is new."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.clock import SystemClock
from shared.kafka import KafkaBus
from shared.topics import Topic

AGED = Topic("aged", "test", timedelta(days=1))
EASED = Topic("eased", "test", timedelta(days=1))
TOLD_S = 0.25  # what a healthy broker's word may take; the clock of who reads is held back by as much
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


async def test_a_reader_that_eases_the_broker_knows_of_nothing_that_it_has_not_read(kafka_bootstrap: str) -> None:
    """Its pauses are its own, and no word of the broker's: a clock that ran on over them overtook what had been written."""
    clock, writer, bus = SystemClock(), KafkaBus(kafka_bootstrap), KafkaBus(kafka_bootstrap)
    try:
        await writer.create([EASED])
        reader = await bus.read([EASED])
        try:
            for _ in range(2):
                reader._eased(200_000)  # so many take minutes to write
                await writer.publish(EASED, b"new", key="a")
                await writer.flush()
                reader.overdue_s()  # what came until now it has seen before this moment
                written = clock.monotonic()
                reading = asyncio.create_task(reader.getmany(timeout_s=60.0))
                while not reading.done():
                    assert clock.monotonic() - reader.overdue_s() < written + TOLD_S
                    await asyncio.sleep(0.01)
                assert [record.value for record in reading.result()] == [b"new"]
        finally:
            await reader.close()
    finally:
        await writer.close()
        await bus.close()
