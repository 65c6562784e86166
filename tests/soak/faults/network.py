"""The network between services and broker, of which each service has a way of its own."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from tests.soak.faults.registry import fault
from tests.soak.stage import NAMES, Stage

# after which a silent connection shows: what is measured before might be of the time in which it did not
NOTICED_S: Final = 6.0


@fault("slow_network", "services are 200 to 500 ms from the broker for 4 to 8 s")
async def slow_network(stage: Stage, chance: Random) -> None:
    for way in stage.ways.values():
        for direction in (way.up, way.down):
            direction.latency_s, direction.jitter_s = 0.35, 0.15
    await asyncio.sleep(chance.uniform(4, 8))
    for way in stage.ways.values():
        way.restore()


@fault("cut_network", "every connection to the broker is reset, and refused for 3 to 8 s")
async def cut_network(stage: Stage, chance: Random) -> None:
    await asyncio.gather(*(way.refuse() for way in stage.ways.values()))
    await asyncio.sleep(chance.uniform(3, 8))
    await asyncio.gather(*(way.listen() for way in stage.ways.values()))


@fault("cut_one", "the connections of one service to the broker are reset, and refused for 3 to 8 s")
async def cut_one(stage: Stage, chance: Random) -> None:
    way = stage.ways[chance.choice(NAMES)]
    await way.refuse()
    await asyncio.sleep(chance.uniform(3, 8))
    await way.listen()


@fault("hold_network", "nothing passes between services and broker for 3 to 8 s, then all of it")
async def hold_network(stage: Stage, chance: Random) -> None:
    for way in stage.ways.values():
        way.hold()
    await asyncio.sleep(chance.uniform(3, 8))
    for way in stage.ways.values():
        way.go_on()


@fault("half_open", "what one service and the broker say to each other is lost on every connection that is open")
async def half_open(stage: Stage, chance: Random) -> None:
    way = stage.ways[chance.choice(NAMES)]
    way.go_silent()
    way.restore()  # connections from now on are well
    await asyncio.sleep(NOTICED_S)
