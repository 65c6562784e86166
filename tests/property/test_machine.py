"""The engine under anything that may come, one step after the other: what must hold after every step.

People and phones do what they can (`floors`); in between switches say what cannot be (`histories`), events come late or twice,
whole batches come again, the link comes and goes, time passes. A replica hears the same log, restored from a dump now and then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.monitor.core.engine import Engine
from services.monitor.core.state import SiteState
from services.monitor.core.transitions import displayed, line_of
from services.monitor.rulefile import load_rulebook
from shared import events, facts
from shared.envelope import Data
from shared.events import Event
from shared.siteconfig import AgentConfig, Leases, QueueConfig, SiteConfig, Sites
from tests.floorkit import SITE, event
from tests.property.floors import AGENTS, PAUSES, PlausibleFloor
from tests.property.histories import happenings
from tests.property.test_engine import Views, board, still

RULES = load_rulebook(
    Path(__file__).parents[2] / "deploy" / "rules.yaml"
)  # over states, figures, hours; some with keep
CONFIG = Sites(
    {
        SITE: SiteConfig(
            queues={"sales": QueueConfig(wrap_up_s=6)},
            leases=Leases(ringing_s=60, line_s=200, wrap_s=100, declared_s=300, call_s=400),
            agents={"1": AgentConfig(tags=("new_agent",))},
            time_zone="Pacific/Marquesas",  # whose midnight is half an hour after these floors open
        )
    }
)
ROOM = 4096 + 512  # timers that count no longer are let go by then


class EngineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.floor = PlausibleFloor(apart=0.001)
        self.engine, self.replica = Engine(CONFIG, RULES), Engine(CONFIG, RULES)
        self.log: list[Event] = []
        self.offset = 0
        self.pending: list[tuple[float, Data]] = []  # happened, and not arrived yet
        self.feed: Views = {}
        self.known_until: dict[str, Any] = {}  # agent -> end of the last interval
        self.raised: set[str] = set()

    # ------------------------------------------------------------ what comes

    @initialize(heads=st.integers(1, len(AGENTS)))
    def people_come(self, heads: int) -> None:
        for agent in AGENTS[:heads]:
            self.floor.log_on(agent)
        self._hear_floor()

    @rule(pause=st.sampled_from(PAUSES), choices=st.lists(st.integers(0, 2**16), min_size=1, max_size=8))
    def people_do_what_they_can(self, pause: float, choices: list[int]) -> None:
        for choice in choices:
            self.floor.pass_time(pause)
            self.floor.move(choice)
            self._hear_floor()

    @rule(pause=st.sampled_from(PAUSES), choice=st.integers(0, 2**16))
    def something_happens_and_is_on_its_way(self, pause: float, choice: int) -> None:
        self.floor.pass_time(pause)
        before = len(self.floor.told)
        self.floor.move(choice)
        self.pending += self.floor.told[before:]

    @rule(place=st.integers(0, 99))
    def something_late_arrives(self, place: int) -> None:
        if self.pending:
            self._hear(*self.pending.pop(place % len(self.pending)))

    @rule(data=happenings)
    def the_switch_says_what_cannot_be(self, data: Data) -> None:
        self._hear(self.floor.now, data)

    @rule()
    def the_link_comes_up(self) -> None:
        self._hear(self.floor.now, events.LinkUp(connector="test"))

    @rule(seconds=st.sampled_from(PAUSES))
    def time_passes(self, seconds: float) -> None:
        self.floor.pass_time(seconds)
        self._apply(event(self.floor.now, events.Clock()))

    @rule(back=st.integers(1, 30))
    def a_batch_comes_again(self, back: int) -> None:
        """As after a restart of what comes before; it changes nothing but the count of duplicates."""
        again = [one for one in self.log[-back:] if one.rawoffset >= 0]
        before, duplicates = self._without_duplicates(), self.state.duplicates
        for one in again:
            assert self.engine.apply(one) == []
            self.replica.apply(one)
        assert self._without_duplicates() == before
        assert self.state.duplicates == duplicates + len(again)

    @rule()
    def the_replica_starts_again_from_a_dump(self) -> None:
        dump = self.replica.dump()
        self.replica = Engine(CONFIG, RULES)
        self.replica.load(dump)
        assert self.replica.dump() == dump

    # ------------------------------------------------------------ hearing

    @property
    def state(self) -> SiteState:
        return self.engine._floors[SITE].state

    def _hear_floor(self) -> None:
        told, self.floor.told = self.floor.told, []
        for second, data in told:
            self._hear(second, data)

    def _hear(self, second: float, data: Data) -> None:
        marks = isinstance(data, events.Clock)
        self._apply(event(second, data, -1 if marks else self.offset))
        self.offset += not marks

    def _apply(self, one: Event) -> None:
        self.log = [*self.log[-50:], one]
        made = self.engine.apply(one)
        assert self.replica.apply(one) == made
        for fact in made:
            if isinstance(fact.data, facts.AgentInterval):
                self._follows(fact.data)
            elif isinstance(fact.data, facts.FlagRaised):
                assert fact.data.flag_id not in self.raised
                self.raised.add(fact.data.flag_id)
            elif isinstance(fact.data, facts.FlagCleared):
                self.raised.remove(fact.data.flag_id)
        for kind, site, key in self.engine.changes():
            self.feed[kind, key] = self.engine.view(kind, site, key)

    def _follows(self, interval: facts.AgentInterval) -> None:
        """Agents' time is a partition: each interval begins where the last one ended, and lasts."""
        assert interval.duration_s > 0
        end = self.known_until.get(interval.agent_id, interval.started_at)
        assert interval.started_at == end
        self.known_until[interval.agent_id] = interval.ended_at

    def _without_duplicates(self) -> bytes:
        return msgspec.msgpack.encode(msgspec.structs.replace(self.state, duplicates=0))

    # ------------------------------------------------------------ what holds

    @invariant()
    def replicas_are_equal(self) -> None:
        assert self.engine.dump() == self.replica.dump()

    @invariant()
    def what_is_shown_follows_from_the_table(self) -> None:
        if not self.log:
            return
        for agent in self.state.agents.values():
            line, _ = line_of(self.state.legs[leg_id] for leg_id in agent.legs)
            expected = "unknown" if agent.lapsed else displayed(agent.declared, line, in_wrap=agent.in_wrap)
            assert agent.state == expected

    @invariant()
    def everything_refers_to_something(self) -> None:
        if not self.log:
            return
        state = self.state
        legs = {leg_id for call in state.calls.values() for leg_id in call.legs}
        assert legs == set(state.legs)
        assert {leg_id for agent in state.agents.values() for leg_id in agent.legs} == {
            leg.leg_id for leg in state.legs.values() if leg.agent_id
        }
        for leg in state.legs.values():
            assert leg.leg_id in state.calls[leg.call_id].legs
        running = {one.transfer_id for one in state.transfers.values() if one.outcome == "running"}
        assert running == {transfer for call in state.calls.values() for transfer in call.transfers}
        waiting = {(queue.queue, call) for queue in state.queues.values() for call in queue.waiting}
        assert waiting == {
            (visit.queue, call.call_id) for call in state.calls.values() for visit in call.visits if visit.ended is None
        }

    @invariant()
    def staff_is_counted_right(self) -> None:
        if not self.log:
            return
        for queue in self.state.queues.values():
            serving = [agent.state for agent in self.state.agents.values() if queue.queue in agent.queues]
            assert {name: count for name, count in queue.staff.items() if count} == {
                name: serving.count(name) for name in serving
            }

    @invariant()
    def the_feed_adds_up_to_the_board(self) -> None:
        assert still(self.feed) == still(board(self.engine))

    @invariant()
    def timers_are_few_and_of_what_lives(self) -> None:
        if not self.log:
            return
        state = self.state
        assert len(state.timers) <= ROOM
        for watches in state.watches.values():
            for watch in watches.values():
                subjects = {**state.agents, **state.calls, **state.transfers, **state.queues, state.site: None}
                assert watch.subject_id in subjects
        for flag in state.flags.values():
            assert flag.flag_id in self.raised

    @invariant()
    def what_is_kept_for_latecomers_is_bounded(self) -> None:
        if not self.log:
            return
        assert len(self.state.early) <= 1024
        assert len(self.state.over_legs) <= 1024


EngineMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=40)
TestEngineMachine = EngineMachine.TestCase
