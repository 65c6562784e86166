"""Clocks of ours that are set; the switch's is right. The connector has that of the machine that ingest runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Final

from tests.soak.faults.registry import fault
from tests.soak.stage import NAMES, Stage

_STEPS_S: Final = (0.5, 3.0, 61.0, 3600.0)


@fault(
    "set_one_clock",
    "the clock of one service jumps by 0.5 s to an hour, ahead or back, and is put right after 4 to 8 s",
)
async def set_one_clock(stage: Stage, chance: Random) -> None:
    await _set(stage, [chance.choice(NAMES)], chance)


@fault("set_every_clock", "the clock of the one machine that all is on, the connector too, does the same")
async def set_every_clock(stage: Stage, chance: Random) -> None:
    await _set(stage, NAMES, chance)


async def _set(stage: Stage, names: Iterable[str], chance: Random) -> None:
    ahead_s = chance.choice(_STEPS_S) * chance.choice((-1, 1))
    chosen = [stage.clocks[name] for name in names]
    for one in chosen:
        one.set_to(ahead_s)
    try:
        await asyncio.sleep(chance.uniform(4, 8))
    finally:
        for one in chosen:
            one.set_to(0.0)
