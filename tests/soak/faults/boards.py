"""Boards that are lost, slow, stuck, and far too many."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from tests.soak.boards import Board, Wanted, once, stuck
from tests.soak.faults.registry import fault
from tests.soak.stage import Stage

STORM: Final = 300
_STUCK: Final = 30
_SLOW_S: Final = 0.25  # a message; a site's clock alone is told of more often


@fault("drop_boards", "every board's connection is lost without a word")
async def drop_boards(stage: Stage, chance: Random) -> None:
    for board in stage.boards:
        board.drop()


@fault(
    "reconnect_storm",
    f"{STORM} more boards come at once, are gone when they have their picture, and come once more",
)
async def reconnect_storm(stage: Stage, chance: Random) -> None:
    for _ in range(2):
        await asyncio.gather(*(once(chance.choice(stage.monitors), Wanted()) for _ in range(STORM)))


@fault("stall_boards", f"half of the boards read nothing for 4 to 8 s, beside {_STUCK} more that never do")
async def stall_boards(stage: Stage, chance: Random) -> None:
    chosen = chance.sample(stage.boards, len(stage.boards) // 2)
    async with stuck(stage.monitors, _STUCK):
        await _read_late(chosen, float("inf"), chance)


@fault("slow_boards", "every board takes one message in a quarter of a second for 4 to 8 s")
async def slow_boards(stage: Stage, chance: Random) -> None:
    await _read_late(stage.boards, _SLOW_S, chance)


async def _read_late(boards: list[Board], each_s: float, chance: Random) -> None:
    for board in boards:
        board.slow_down(each_s)
    try:
        await asyncio.sleep(chance.uniform(4, 8))
    finally:
        for board in boards:
            board.slow_down(0)
