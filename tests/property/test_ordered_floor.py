"""Whatever supervisors order, the simulated floor stays possible; and one that is ordered nothing goes its way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.ingest.connectors.simulator.floor import SimulatedFloor
from services.ingest.connectors.simulator.orders import NotHere
from services.ingest.connectors.simulator.people import everybody
from shared import events
from tests.ingestkit import T0
from tests.simkit import Line

AGENTS = tuple(person.agent_id for person in everybody())
ORDERS = st.tuples(st.sampled_from(["pause", "unpause", "log_off"]), st.sampled_from(AGENTS[:12]), st.floats(0, 400))


# a smaller seed is no simpler day: shrinking would only take minutes
@settings(max_examples=3, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.integers(0, 2**32), st.lists(ORDERS, max_size=40))
def test_no_order_makes_the_impossible_happen(seed: int, orders: list[tuple[str, str, float]]) -> None:
    floor, line, now = SimulatedFloor(seed, T0, opens_s=8.5 * 3600), Line(), T0
    for told in floor.opening:
        line.see(*told)
    for what, agent, wait_s in orders:
        now += timedelta(seconds=wait_s)
        for told in floor.next(now):
            line.see(*told)
        logged_on = agent in line.on
        try:
            if what == "pause":
                floor.pause(agent, "coaching")
            elif what == "unpause":
                floor.unpause(agent)
            else:
                floor.log_off(agent)
        except NotHere:
            assert not logged_on
    for told in floor.next(now + timedelta(hours=24)):  # into the next day: whoever was sent home comes back
        line.see(*told)
    assert len(line.on) > 20


def ordered(seed: int = 4) -> tuple[SimulatedFloor, Line]:
    floor, line = SimulatedFloor(seed, T0), Line()
    for told in floor.opening:
        line.see(*told)
    return floor, line


def test_a_break_lasts_until_it_is_over_and_what_was_wanted_is_its_reason() -> None:
    floor, line = ordered()
    talking = next(leg.agent for leg in line.legs.values() if leg.state == "talking")
    floor.pause(talking, "coaching")
    told = [one for one in floor.next(T0 + timedelta(hours=2)) if getattr(one.data, "agent_id", "") == talking]
    kinds = [type(one.data) for one in told]
    at = kinds.index(events.AgentNotReady)
    assert told[at].data == events.AgentNotReady(agent_id=talking, reason="coaching")
    assert not {events.LegStarted, events.AgentReady} & set(kinds[at:]), "nothing more came to them"
    floor.unpause(talking)
    after = floor.next(T0 + timedelta(hours=2, minutes=10))
    first = next(one.data for one in after if getattr(one.data, "agent_id", "") == talking)
    assert first == events.AgentReady(agent_id=talking)


def test_whoever_is_sent_home_goes_after_the_call() -> None:
    floor, line = ordered()
    talking = next(leg.agent for leg in line.legs.values() if leg.state == "talking")
    floor.log_off(talking)
    told = floor.next(T0 + timedelta(hours=1))
    off = events.AgentLoggedOff(agent_id=talking)
    at = [one.data for one in told].index(off)
    assert not [one for one in told[at + 1 :] if getattr(one.data, "agent_id", "") == talking]
    assert told[at].time > T0


def test_who_is_not_there_cannot_be_ordered() -> None:
    floor, line = ordered()
    away = next(agent for agent in AGENTS if agent not in line.on)
    for order in (lambda: floor.pause(away, ""), lambda: floor.unpause(away), lambda: floor.pause("none", "")):
        with pytest.raises(NotHere, match=r"logged on|works here"):
            order()
