"""Records that nobody can use: one that every reader chokes on, and a producer gone wild. Each has to be a dead letter.

They carry a header with a name of their own (`stage.MARK`), by which they are counted.
"""

from __future__ import annotations

from random import Random
from typing import Final

from shared import topics
from shared.bus import MAX_RECORD_BYTES
from shared.topics import Topic
from tests.badrecords import bad
from tests.soak.faults.registry import fault
from tests.soak.stage import MARK, SITES, Stage, connected

FLOOD: Final = 20_000
_AT_ONCE: Final = 2000  # between two looks whether the broker has them
_READ: Final[tuple[Topic, ...]] = (topics.SWITCH_RAW, topics.FLOOR_EVENTS, topics.FLOOR_FLAGS, topics.FLOOR_RECORDS)


@fault("flood", f"{FLOOD} bad records of ten kinds at once, among what a site says")
async def flood(stage: Stage, chance: Random) -> None:
    site = chance.choice(SITES)
    async with connected(stage.broker) as bus:
        for number, (_, value, headers) in enumerate(bad(FLOOD, site)):
            mark = (MARK, stage.spoil("flood").encode())
            await bus.publish(topics.SWITCH_RAW, value, key=site, headers=(*headers, mark))
            if number % _AT_ONCE == _AT_ONCE - 1:
                await bus.flush()
        await bus.flush()


@fault("poison", "on each topic that is read: a record that is half a one, an empty one, and one as large as may be")
async def poison(stage: Stage, chance: Random) -> None:
    site = chance.choice(SITES)
    async with connected(stage.broker) as bus:
        for topic in _READ:
            for value in (b'{"half', b"", b"[".ljust(MAX_RECORD_BYTES - 1000)):
                headers = (("vendor", b"generic"), ("site", site.encode()), (MARK, stage.spoil(topic.name).encode()))
                await bus.publish(topic, value, key=site, headers=headers)
        await bus.flush()
