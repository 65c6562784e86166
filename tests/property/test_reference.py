"""The engine says what a slow reference model says, after every event: all of it of plausible floors, and of impossible ones
what is defined for them too: who is in which call in what state, agents' time, who waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import msgspec
from hypothesis import given, settings

from services.monitor.core.engine import Engine
from services.monitor.core.state import SiteState
from shared import events, facts
from shared.facts import Fact
from shared.siteconfig import Leases, SiteConfig, Sites
from tests.floorkit import RULES, SITE, at, event
from tests.property.floors import QUEUES, Told, plausible
from tests.property.histories import History, histories
from tests.property.reference import Flagged, Interval, Reference, Shown

BELIEVED = Sites({SITE: SiteConfig(leases=Leases(0, 0, 0, 0, 0))})  # for ever: the reference knows no leases
LIMITS = {rule.name: rule.hold.total_seconds() for rule in RULES.rules}
# of links, clocks and evidence without change the reference knows nothing
UNTOLD = (
    *(events.LinkUp, events.LinkDown, events.Clock, events.ClockJumped, events.Snapshot, events.AgentSeen),
    *(events.ListenStarted, events.ListenEnded),
)
LONG_LISTENS = {"listen_end_lost", "listen_ended_without_start"}  # here listeners stay on after the call

after_each_event = settings(max_examples=80)


def state_of(engine: Engine) -> SiteState:
    return engine._floors[SITE].state


class Compared:
    """The engine and the reference, told the same."""

    def __init__(self) -> None:
        self.engine = Engine(BELIEVED, RULES)
        self.reference = Reference()
        self.facts: list[Fact] = []
        self.now = at(0)

    def tell(self, told: Told) -> Iterable[None]:
        for offset, (second, data) in enumerate(told):
            self.now = at(second)
            self.facts += self.engine.apply(event(second, data, offset))
            self.reference.hear(self.now, data)
            yield

    def same_agents(self) -> None:
        agents = state_of(self.engine).agents
        assert set(agents) == self.reference.agents()
        for agent in agents.values():
            shown = Shown(agent.state, agent.shown_reason, agent.shown_call)
            assert shown == self.reference.shown(agent.agent_id, self.now), agent.agent_id

    def same_calls(self) -> None:
        state = state_of(self.engine)
        assert {call.call_id: call.state for call in state.calls.values()} == self.reference.calls()
        legs = [leg for leg in self.reference.legs() if leg.ended is None]
        assert {(leg.leg_id, leg.agent_id, leg.call_id, leg.role, leg.state) for leg in state.legs.values()} == {
            (leg.leg, leg.agent, leg.last.call, leg.last.role, leg.last.state) for leg in legs
        }

    def same_queues(self) -> None:
        floor = {view.queue: view for view in self.engine.floor_view().queues}
        for name in QUEUES:
            figures, waiting = self.reference.figures(name), self.reference.waiting(name)
            view = floor.get(name)
            if view is None:
                assert figures.offered == 0
                continue
            assert state_of(self.engine).queues[name].waiting == waiting
            assert (view.offered, view.answered, view.abandoned, view.short_abandoned, view.other_ended) == (
                figures.offered,
                figures.answered,
                figures.abandoned,
                figures.short_abandoned,
                figures.other,
            )
            assert view.longest_waited_s == figures.longest
            if figures.waits:
                assert view.asa_s is not None
                assert abs(view.asa_s - sum(figures.waits) / len(figures.waits)) < 1e-6
            else:
                assert view.asa_s is None

    def same_transfers(self) -> None:
        """Those that ended stay on the board for a while only, so what is gone is not asked for."""
        shown = state_of(self.engine).transfers
        for one in self.reference.transfers():
            mine = shown.get(one.transfer)
            if mine is None:
                assert one.ended is not None
                assert self.now - one.ended > timedelta(minutes=5)
                continue
            assert (mine.kind, mine.outcome, mine.requested, mine.ringing, mine.answered) == (
                one.kind,
                one.outcome,
                one.requested,
                one.ringing,
                one.answered,
            )
            assert (mine.bridged, mine.released, mine.ended) == (one.bridged, one.released, one.ended)

    def same_flags(self) -> None:
        expected = self.reference.flags(self.now, LIMITS)
        raised = [fact.data for fact in self.facts if isinstance(fact.data, facts.FlagRaised)]
        assert [one for one in raised if raised.count(one) > 1] == []
        assert {Flagged(one.rule, one.subject_id, one.started_at) for one in raised} == set(expected)
        standing = {Flagged(flag.rule, flag.subject_id, flag.started) for flag in state_of(self.engine).flags.values()}
        assert standing == {flag for flag, stands in expected.items() if stands}

    def same_records(self) -> None:
        """Of everything that is over: intervals, visits with their conversations, transfers with their legs."""
        self.same_intervals()
        self._same_visits()
        ended = {fact.data.transfer_id: fact.data for fact in self.facts if isinstance(fact.data, facts.TransferEnded)}
        for one in self.reference.transfers():
            if one.outcome == "running":
                continue
            record = ended.pop(one.transfer)
            assert (record.outcome, record.total_s, record.bridged_at) == (one.outcome, one.total, one.bridged)
            if one.bridged is not None:
                assert record.customer_gap_s == self.reference.gap(one)
        assert not ended

    def same_intervals(self) -> None:
        for agent_id in self.reference.agents():
            *over, running = self.reference.time_of(agent_id, self.now)
            assert running.ended is None
            mine = [
                Interval(Shown(one.state, one.reason, one.call_id), one.started_at, one.ended_at)
                for one in (fact.data for fact in self.facts)
                if isinstance(one, facts.AgentInterval) and one.agent_id == agent_id
            ]
            assert mine == over, agent_id

    def _same_visits(self) -> None:
        records = [fact.data for fact in self.facts if isinstance(fact.data, facts.CallEnded) and fact.data.queue]
        expected = []
        for visit in self.reference.visits():
            leg = next(
                (
                    leg
                    for leg in self.reference.legs()
                    if visit.left is not None
                    and leg.agent == visit.agent
                    and any(
                        since <= visit.left and (after is None or after >= visit.left)
                        for _, since, after in leg.spans(visit.call)
                    )
                ),
                None,
            )
            if visit.left is None or (leg is not None and leg.ended is None and leg.last.call == visit.call):
                continue
            talk = leg.seconds(visit.call, "talking") if leg else None
            hold = leg.seconds(visit.call, "held") if leg else None
            expected.append((visit.call, visit.queue, visit.outcome, visit.entered, visit.waited, talk, hold))
        made = [(r.call_id, r.queue, r.outcome, r.started_at, r.waited_s, r.talk_s, r.hold_s) for r in records]
        assert sorted(made, key=str) == sorted(expected, key=str)


@after_each_event
@given(plausible())
def test_the_board_is_that_of_the_reference_after_every_event(told: Told) -> None:
    compared = Compared()
    for _ in compared.tell(told):
        compared.same_agents()
        compared.same_calls()
        compared.same_queues()
        compared.same_transfers()
    surprises = set(compared.engine.anomalies(SITE))
    assert surprises <= LONG_LISTENS, "a plausible floor surprises nobody"


@after_each_event
@given(plausible())
def test_records_and_flags_are_those_of_the_reference(told: Told) -> None:
    compared = Compared()
    for number, _ in enumerate(compared.tell(told)):
        if number % 8 == 0:
            compared.same_flags()
            compared.same_records()
    compared.same_flags()
    compared.same_records()


# ---------------------------------------------------------------- histories that cannot be


def in_order_with_unique_ids(history: History) -> Told:
    """The same happenings, each later than the one before, and no id used again once what it named is over."""
    uses: Counter[str] = Counter()
    of_call: dict[str, set[str]] = {}
    found: Told = []
    second = 0.0
    for step, data in history:
        if isinstance(data, UNTOLD):
            continue
        second += max(1, step)
        names = {name: getattr(data, name, "") for name in ("call_id", "leg_id", "transfer_id", "from_call_id")}
        names = {name: f"{value}.{uses[name[0] + value]}" for name, value in names.items() if value}
        renamed = msgspec.structs.replace(data, **names)
        found.append((second, renamed))
        if isinstance(data, events.TransferRequested):
            of_call.setdefault(names["call_id"], set()).add(data.transfer_id)
        if isinstance(data, events.CallCleared):
            uses["c" + data.call_id] += 1
            for transfer in of_call.pop(names["call_id"], ()):
                uses["t" + transfer] += 1
        elif isinstance(data, events.LegCleared):
            uses["l" + data.leg_id] += 1
        elif isinstance(data, events.TransferBridged | events.TransferEnded):
            uses["t" + data.transfer_id] += 1
    return found


@settings(max_examples=200)
@given(histories)
def test_of_what_cannot_be_the_engine_and_the_reference_think_the_same(history: History) -> None:
    compared = Compared()
    for _ in compared.tell(in_order_with_unique_ids(history)):
        compared.same_agents()
        compared.same_calls()
        compared.same_queues()
    compared.same_intervals()
