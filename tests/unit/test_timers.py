"""The heap of timers, whatever it holds."""

from __future__ import annotations

import pytest

from shared import events
from tests.floorkit import RULES, Bench, at


@pytest.mark.parametrize("others", range(4))
def test_any_number_of_timers_may_be_left_when_it_is_time_to_tidy(others: int) -> None:
    bench = Bench(RULES)
    bench(0, events.LinkUp(connector="test"), events.AgentLoggedOn(agent_id="1"))
    (floor,) = bench.engine._floors.values()
    for passed in range(2 * 4096):
        floor.state.timers.clear()
        for one in range(others):
            floor.timer(at(10_000 + one), "forget", (f"nothing-{one}", ""))
        floor.timer(at(20_000 + passed), "forget", ("nothing", ""))
        assert len(floor.state.timers) == others + 1


def test_a_quiet_floor_outlasts_its_timers() -> None:
    """Whose one timer is due and set anew, minute after minute for days."""
    bench = Bench(RULES)
    bench(0, events.LinkUp(connector="test"))
    (floor,) = bench.engine._floors.values()
    for minute in range(5000):
        floor.timer(at(60 * minute + 30), "forget", ("nothing", ""))
        bench.mark(60 * minute + 31)
    assert floor.state.now == at(60 * 4999 + 31)
