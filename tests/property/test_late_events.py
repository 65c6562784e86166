"""Events that arrive late and out of order: once the truth has arrived, the floor is as if it had come in order.

A plausible floor is delivered with delays of up to `WINDOW`, each event its own, so that also what belongs together arrives in
any order; positions grow with delivery. When every call is over and everything has arrived, these are equal:

* what is shown of every agent, with reason and call, what was declared, and which queues they serve;
* open calls, legs and waiting calls: none is left over, none is brought back;
* transfers: outcome, target and every stamp, on the board and in the last record of each;
* standing flags, and the staff of every queue;
* the partition: every agent's intervals meet without gap or overlap.

These may differ, because what was published meanwhile was published: where intervals are cut, and so their sums; the day's
counts of a visit whose call's end was heard before its own; talk and hold of conversations; the customer's gap; flags that were
raised and cleared while the truth was on its way.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from services.monitor.core.state import SiteState
from shared import events, facts
from shared.envelope import Data
from shared.facts import Fact
from tests.floorkit import CONFIG, RULES, SITE, event
from tests.property.floors import Told, plausible

WINDOW = 20.0
QUIET = 2 * WINDOW

late = settings(max_examples=200)


class Run:
    """An engine that was told a floor in some order, and what it made of it."""

    def __init__(self, delivery: list[tuple[float, float, Data]], *, marks: bool) -> None:
        """`delivery`: when it happened, when it arrives, what. With `marks` the switch's clock goes on meanwhile."""
        self.engine = Engine(CONFIG, RULES)
        self.facts: list[Fact] = []
        for offset, (second, arrives, data) in enumerate(delivery):
            if marks:
                self.facts += self.engine.apply(event(arrives, events.Clock()))
            self.facts += self.engine.apply(event(second, data, offset))
        self.facts += self.engine.apply(event(max(one[0] for one in delivery) + QUIET, events.Clock()))

    @property
    def state(self) -> SiteState:
        return self.engine._floors[SITE].state

    def outcome(self) -> dict[str, Any]:
        """What must not depend on the order of arrival."""
        state = self.state
        return {
            "agents": {
                agent.agent_id: (agent.state, agent.shown_reason, agent.shown_call, agent.declared, agent.queues)
                for agent in state.agents.values()
            },
            "open": (set(state.calls), set(state.legs), [one.waiting for one in state.queues.values() if one.waiting]),
            "transfers": {
                one.transfer_id: (one.outcome, one.to_agent, one.requested, one.ringing, one.answered, one.bridged)
                for one in state.transfers.values()
            },
            "records": {
                one.transfer_id: (
                    one.outcome,
                    one.to_agent,
                    one.requested_at,
                    one.ringing_at,
                    one.answered_at,
                    one.total_s,
                )
                for one in (fact.data for fact in self.facts)
                if isinstance(one, facts.TransferEnded)
            },
            "flags": {(flag.rule, flag.subject_id) for flag in state.flags.values()},
            "staff": {
                queue: {shown: count for shown, count in one.staff.items() if count}
                for queue, one in state.queues.items()
                if any(one.staff.values())
            },
        }


def shuffled(told: Told, delays: list[float]) -> list[tuple[float, float, Data]]:
    """As it arrives: each event after its own delay."""
    delayed = zip(told, itertools.cycle(delays), strict=False)
    return sorted(((second, second + delay, data) for (second, data), delay in delayed), key=lambda one: one[1])


delays = st.lists(st.one_of(st.just(0.0), st.floats(0, WINDOW)), min_size=1, max_size=40)


@late
@given(plausible(apart=0.001, repeats=False, closed=True, most=40), delays, st.booleans())
def test_the_end_is_that_of_the_ordered_run(told: Told, delays: list[float], marks: bool) -> None:
    ordered = Run([(second, second, data) for second, data in told], marks=marks)
    late = Run(shuffled(told, delays), marks=marks)
    assert late.outcome() == ordered.outcome()
    assert not late.state.calls
    assert not late.state.legs


@late
@given(plausible(apart=0.001, repeats=False, most=40), delays, st.booleans())
def test_time_stays_a_partition_and_books_balance(told: Told, delays: list[float], marks: bool) -> None:
    run = Run(shuffled(told, delays), marks=marks)
    made = run.facts + run.engine.finish()
    intervals = defaultdict(list)
    for fact in made:
        if isinstance(fact.data, facts.AgentInterval):
            intervals[fact.data.agent_id].append(fact.data)
    for mine in intervals.values():
        assert all(one.duration_s > 0 for one in mine)
        assert all(before.ended_at == after.started_at for before, after in itertools.pairwise(mine))
    for view in run.engine.floor_view().queues:
        assert view.offered == view.answered + view.abandoned + view.other_ended + view.waiting
