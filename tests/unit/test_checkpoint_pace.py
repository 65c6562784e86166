"""How fast a checkpoint is taken part by part: as there is time to spare for it, and never so that others wait."""

from __future__ import annotations

import pytest

from shared.clock import FakeClock
from shared.memorybus import MemoryBus
from shared.saving import Pace
from shared.topics import ALL
from tests.partkit import Tallies
from tests.unit.test_parted_checkpoints import HERE, Desk


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await made.create(ALL)
    return made


class Heavy(Tallies):
    """Each of its parts takes a while to write down."""

    def __init__(self, clock: FakeClock, takes_s: float) -> None:
        super().__init__()
        self._clock, self._takes_s = clock, takes_s

    def dump_part(self, name: str) -> bytes | None:
        self._clock.pause(self._takes_s)
        return super().dump_part(name)


async def test_after_each_part_a_busy_pump_rests_in_proportion_so_that_it_keeps_its_pace(bus: MemoryBus) -> None:
    clock = FakeClock()
    desk = Desk(bus, Heavy(clock, 0.02), Pace(checkpoint_records=1, parts_share=0.1), clock)
    desk.hear("a:1", "b:1", "c:1")
    desk.begin()  # takes a
    assert not desk.saver.has_a_turn
    clock.pause(0.17)  # and 0.02 that it took
    desk.hear("b:2")
    desk.carry_on()  # takes nothing
    clock.pause(0.02)
    assert desk.saver.has_a_turn
    desk.hear("b:3")
    desk.carry_on()  # takes b
    clock.pause(0.19)
    desk.carry_on()  # takes c
    assert not desk.saver.midway
    assert (await desk.loaded()).ahead == {"b": {HERE: 5}, "c": {HERE: 5}}


async def test_a_pump_with_time_to_spare_takes_the_next_part_once_it_had_it(bus: MemoryBus) -> None:
    clock = FakeClock()
    desk = Desk(bus, Heavy(clock, 0.02), Pace(checkpoint_records=1, parts_share=0.1), clock)
    desk.hear("a:1", "b:1")
    desk.begin()  # takes a
    assert desk.saver.rests_s == pytest.approx(0.04)
    desk.saver.waited(0.03)
    assert desk.saver.rests_s == pytest.approx(0.01)
    desk.saver.waited(0.02)
    assert desk.saver.has_a_turn
    desk.carry_on()  # takes b
    assert not desk.saver.midway
