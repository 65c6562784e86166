"""What must hold for any history, however wrong."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from services.monitor.core.transitions import displayed, line_of
from shared import events, facts
from shared.events import Event
from shared.facts import Fact
from tests.floorkit import RULES, SITE, event
from tests.property.histories import CONFIG, History, histories

Views = dict[tuple[str, str], Any]

many = settings(max_examples=150)


def stream_of(history: History) -> list[Event]:
    """The history as events with positions; marks have none."""
    second, found = 100, []
    for offset, (step, data) in enumerate(history):
        second = max(0, second + step)
        found.append(event(second, data, -1 if isinstance(data, events.Clock) else offset))
    return found


def run(engine: Engine, stream: list[Event]) -> list[Fact]:
    return [fact for one in stream for fact in engine.apply(one)]


def board(engine: Engine) -> Views:
    """Everything as a fresh snapshot shows it, by kind and id."""
    floor = engine.floor_view()
    shown: Views = {}
    for kind, views, name in (
        ("site", floor.sites, "site"),
        ("queue", floor.queues, "queue"),
        ("agent", floor.agents, "agent_id"),
        ("call", floor.calls, "call_id"),
        ("transfer", floor.transfers, "transfer_id"),
        ("flag", floor.flags, "flag_id"),
    ):
        shown |= {(kind, getattr(view, name)): view for view in views}
    return shown


def still(views: Views) -> Views:
    """Without what is gone, and without `now`: it moves with every event and mark, and pages hear it from the clock message."""
    return {
        key: msgspec.structs.replace(view, now=None) if key[0] == "site" else view
        for key, view in views.items()
        if view is not None
    }


@many
@given(histories)
def test_agent_time_is_a_partition_of_the_clock(history: History) -> None:
    engine = Engine(CONFIG, RULES)
    made = run(engine, stream_of(history)) + engine.finish()
    intervals = defaultdict(list)
    for fact in made:
        if isinstance(fact.data, facts.AgentInterval):
            intervals[fact.data.agent_id].append(fact.data)
    for mine in intervals.values():
        assert all(one.duration_s > 0 for one in mine)
        for before, after in itertools.pairwise(mine):
            assert before.ended_at == after.started_at
        whole = (mine[-1].ended_at - mine[0].started_at).total_seconds()
        assert abs(sum(one.duration_s for one in mine) - whole) < 1e-6


@many
@given(histories, st.data())
def test_a_run_continued_from_any_checkpoint_equals_an_uninterrupted_one(history: History, data: st.DataObject) -> None:
    stream = stream_of(history)
    cut = data.draw(st.integers(0, len(stream)))
    whole = Engine(CONFIG, RULES)
    expected = run(whole, stream)
    first = Engine(CONFIG, RULES)
    made = run(first, stream[:cut])
    second = Engine(CONFIG, RULES)
    second.load(first.dump())
    assert made + run(second, stream[cut:]) == expected
    assert second.dump() == whole.dump()


@many
@given(histories, st.data())
def test_a_replayed_stretch_changes_nothing(history: History, data: st.DataObject) -> None:
    """Marks before the first event are none of it: that event sets the clock."""
    stream = list(itertools.dropwhile(lambda one: isinstance(one.data, events.Clock), stream_of(history)))
    start = data.draw(st.integers(0, len(stream)))
    once, twice = Engine(CONFIG, RULES), Engine(CONFIG, RULES)
    expected = run(once, stream)
    assert run(twice, stream) == expected
    assert run(twice, stream[start:]) == []
    assert once.floor_view() == twice.floor_view()


@many
@given(histories, st.integers(1, 7))
def test_a_folded_feed_equals_a_fresh_snapshot(history: History, batch: int) -> None:
    engine = Engine(CONFIG, RULES)
    folded: Views = {}
    for number, one in enumerate(stream_of(history), 1):
        engine.apply(one)
        if number % batch == 0 or number == len(history):
            for kind, site, key in engine.changes():
                folded[kind, key] = engine.view(kind, site, key)
    assert still(folded) == still(board(engine))


@many
@given(histories)
def test_flags_are_raised_once_at_their_deadline_and_cleared_once(history: History) -> None:
    engine = Engine(CONFIG, RULES)
    raised: set[str] = set()
    cleared: set[str] = set()
    for fact in run(engine, stream_of(history)):
        if isinstance(fact.data, facts.FlagRaised):
            assert fact.data.flag_id not in raised
            raised.add(fact.data.flag_id)
            held = fact.data.raised_at - fact.data.started_at
            assert held == RULES.by_name[fact.data.rule].hold
        elif isinstance(fact.data, facts.FlagCleared):
            assert fact.data.flag_id in raised - cleared
            cleared.add(fact.data.flag_id)
    assert {flag.flag_id for flag in engine.floor_view().flags} == raised - cleared


@many
@given(histories)
def test_what_is_shown_follows_from_the_legs(history: History) -> None:
    engine = Engine(CONFIG, RULES)
    run(engine, stream_of(history))
    state = engine._floors[SITE].state
    staff: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for agent in state.agents.values():
        line, _ = line_of(state.legs[leg_id] for leg_id in agent.legs)
        expected = "unknown" if agent.lapsed else displayed(agent.declared, line, in_wrap=agent.in_wrap)
        assert agent.state == expected
        for name in agent.queues:
            staff[name][agent.state] += 1
    for leg in state.legs.values():
        assert leg.leg_id in state.agents[leg.agent_id].legs
        assert leg.leg_id in state.calls[leg.call_id].legs
    for queue in state.queues.values():
        assert {shown: count for shown, count in queue.staff.items() if count} == dict(staff[queue.queue])
        assert set(queue.waiting) <= set(state.calls)
