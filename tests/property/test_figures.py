"""Figures, worked out a second time from what was published: slowly, from whole lists, sharing nothing with the engine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from shared import events, facts
from shared.envelope import Data
from shared.events import Event
from shared.facts import Fact, QueueInterval
from shared.siteconfig import SiteConfig, Sites
from tests.floorkit import RULES, SITE, event
from tests.property.histories import AGENTS, CALLS, LEGS, QUEUES, happenings

ZONE = "Pacific/Marquesas"  # -09:30: midnight is at 09:30 UTC, half an hour after these floors open
CONFIG = Sites({SITE: SiteConfig(time_zone=ZONE)})
HANDLING = {"talk", "hold", "consult", "wrap"}
QUARTER = timedelta(minutes=15)
OPENED = datetime.fromisoformat("2026-11-22T09:00:00+00:00")


def _calls_of_a_queue() -> st.SearchStrategy[list[Data]]:
    """A call that queues, and mostly one that goes its way: otherwise random histories rarely hold a conversation."""

    def story(call: str, queue: str, agent: str, leg: str, how: str) -> list[Data]:
        enters: list[Data] = [events.CallQueued(call_id=call, queue=queue)]
        if how == "left":
            return [*enters, events.CallCleared(call_id=call, cleared_by="customer")]
        taken = [
            events.AgentLoggedOn(agent_id=agent, queues=(queue,)),
            events.LegStarted(call_id=call, leg_id=leg, agent_id=agent, queue=queue),
            events.CallDequeued(call_id=call, queue=queue, reason="answered", agent_id=agent),
            events.LegAnswered(call_id=call, leg_id=leg),
        ]
        ends = [events.LegCleared(call_id=call, leg_id=leg), events.CallCleared(call_id=call)]
        return [*enters, *taken, *(ends if how == "ended" else [])]

    return st.builds(story, CALLS, QUEUES, AGENTS, LEGS, st.sampled_from(["ended", "ended", "running", "left"]))


def _histories(steps: st.SearchStrategy[float]) -> st.SearchStrategy[list[tuple[float, Data]]]:
    """(seconds since the one before, what), long enough for several intervals and a midnight."""
    stretches = _calls_of_a_queue() | happenings.map(lambda one: [one])
    whole = st.lists(stretches, min_size=1, max_size=12).map(lambda found: [one for part in found for one in part])
    return whole.flatmap(lambda found: st.tuples(*(st.tuples(steps, st.just(one)) for one in found)).map(list))


halves = st.integers(0, 500).map(lambda half: half / 2)
in_order = _histories(st.one_of(halves, halves, st.sampled_from([0, 900, 1800, 7200])))
with_late_ones = _histories(st.one_of(halves, st.integers(-400, 0)))


def stream_of(history: list[tuple[float, Data]]) -> list[Event]:
    second, found = 0.0, []
    for offset, (step, data) in enumerate(history):
        second = max(0.0, second + step)
        found.append(event(second, data, -1 if isinstance(data, events.Clock) else offset))
    return found


def run(engine: Engine, stream: list[Event]) -> list[Fact]:
    return [fact for one in stream for fact in engine.apply(one)] + engine.finish()


# ---------------------------------------------------------------- the second reckoning


@dataclass
class Sums:
    """Of one queue in one quarter of an hour."""

    offered: int = 0
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    conversations: list[tuple[float, float]] = field(default_factory=list)
    wrap_s: float = 0.0
    handling_s: float = 0.0
    ready_s: float = 0.0

    def __bool__(self) -> bool:
        happened = bool(self.offered or self.waits or self.conversations or self.wrap_s)
        return happened or self.handling_s > 0 or self.ready_s > 0


Key = tuple[str, datetime]


def quarter(at: datetime) -> datetime:
    """Begin of the quarter of an hour that `at` is in; the zone is a multiple of a quarter from UTC."""
    return OPENED + (at - OPENED) // QUARTER * QUARTER


def pieces(start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """The quarters that a stretch touches, and its seconds in each."""
    found = []
    while start < end:
        until = min(end, quarter(start) + QUARTER)
        found.append((quarter(start), (until - start).total_seconds()))
        start = until
    return found


def served(stream: list[Event], end: datetime) -> dict[str, list[tuple[datetime, datetime, tuple[str, ...]]]]:
    """Which queues each agent served, from when to when."""
    changes: dict[str, list[tuple[datetime, tuple[str, ...]]]] = defaultdict(list)
    for one in stream:
        if isinstance(one.data, events.AgentLoggedOn):
            changes[one.data.agent_id].append((one.time, tuple(set(one.data.queues))))
        elif isinstance(one.data, events.AgentLoggedOff):
            changes[one.data.agent_id].append((one.time, ()))
    found = {}
    for agent, mine in changes.items():
        ends = [at for at, _ in mine[1:]] + [end]
        found[agent] = [(at, until, queues) for (at, queues), until in zip(mine, ends, strict=True)]
    return found


def reckon(
    stream: list[Event], made: list[Fact], waiting: list[tuple[str, datetime]], end: datetime
) -> dict[Key, Sums]:
    """Every queue's sums by quarter, from the records of calls and of agents' states."""
    sums: dict[Key, Sums] = defaultdict(Sums)
    for queue, entered in waiting:
        sums[queue, quarter(entered)].offered += 1
    serving = served(stream, end)
    for data in (fact.data for fact in made):
        if isinstance(data, facts.CallEnded) and data.queue:
            left = data.answered_at or data.ended_at
            sums[data.queue, quarter(data.started_at)].offered += 1
            sums[data.queue, quarter(left)].waits[data.outcome].append(data.waited_s)
            if data.talk_s is not None and data.hold_s is not None:
                sums[data.queue, quarter(data.ended_at)].conversations.append((data.talk_s, data.hold_s))
        elif isinstance(data, facts.AgentInterval):
            if data.queue and data.state in HANDLING:
                for begin, seconds in pieces(data.started_at, data.ended_at):
                    sums[data.queue, begin].handling_s += seconds
            if data.queue and data.state == "wrap":
                sums[data.queue, quarter(data.ended_at)].wrap_s += data.duration_s
            if data.state == "ready":
                for start, until, queues in serving.get(data.agent_id, ()):
                    for queue, piece in product(queues, pieces(max(start, data.started_at), min(until, data.ended_at))):
                        sums[queue, piece[0]].ready_s += piece[1]
    return {key: one for key, one in sums.items() if one}


def agree(one: QueueInterval, expected: Sums) -> None:
    waits = expected.waits
    assert one.offered == expected.offered
    assert one.answered == len(waits["answered"])
    assert one.abandoned == len(waits["abandoned"])
    assert one.other_ended == sum(len(waits[name]) for name in ("timed_out", "overflowed", "cleared", "moved"))
    assert one.answered_within == sum(waited <= 20 for waited in waits["answered"])
    assert one.abandoned_within == sum(waited <= 20 for waited in waits["abandoned"])
    assert one.short_abandoned == sum(waited <= 5 for waited in waits["abandoned"])
    assert one.longest_waited_s == max((waited for each in waits.values() for waited in each), default=None)
    assert one.wait_answered_s == pytest.approx(sum(waits["answered"]))
    assert one.wait_abandoned_s == pytest.approx(sum(waits["abandoned"]))
    assert one.handled == len(expected.conversations)
    assert one.talk_s == pytest.approx(sum(talk for talk, _ in expected.conversations))
    assert one.hold_s == pytest.approx(sum(hold for _, hold in expected.conversations))
    assert one.wrap_s == pytest.approx(expected.wrap_s, abs=1e-5)
    assert one.handling_s == pytest.approx(expected.handling_s, abs=1e-5)
    assert one.ready_s == pytest.approx(expected.ready_s, abs=1e-5)


@settings(max_examples=120)
@given(in_order)
def test_every_interval_equals_what_the_records_add_up_to(history: list[tuple[float, Data]]) -> None:
    engine, stream = Engine(CONFIG, RULES), stream_of(history)
    made = run(engine, stream)
    floor = engine.floor_view()
    end = floor.sites[0].now
    if end is None:
        return
    waiting = [(call.queue, call.queued_since) for call in floor.calls if call.queued_since is not None]
    expected = reckon(stream, made, waiting, end)
    published = {(one.queue, one.started_at): one for fact in made if isinstance(one := fact.data, QueueInterval)}
    assert len(published) == sum(isinstance(fact.data, QueueInterval) for fact in made)
    assert set(expected) <= set(published)
    for key, one in published.items():
        agree(one, expected.get(key, Sums()))


# ---------------------------------------------------------------- what holds for late events, too

COUNTS = ("offered", "answered", "abandoned", "short_abandoned", "other_ended", "handled", "handling_s", "ready_s")


# so late that it is believed: the agent is out of the queue again, and was in it only since the log-on before
LATE_LOG_ON: list[tuple[float, Data]] = [
    (0.0, events.AgentLoggedOn(agent_id="1")),
    (60.5, events.AgentLoggedOn(agent_id="1", queues=("sales",))),
    (-61.0, events.AgentLoggedOn(agent_id="1")),
    (0.0, events.CallQueued(call_id="a", queue="sales")),
    (0.0, events.CallCleared(call_id="a", cleared_by="customer")),
]


@settings(max_examples=80)
@example(LATE_LOG_ON)
@given(in_order | with_late_ones)
def test_the_day_is_the_sum_of_its_intervals_and_of_nothing_else(history: list[tuple[float, Data]]) -> None:
    engine = Engine(CONFIG, RULES)
    made: list[QueueInterval] = []
    for number, one in enumerate(stream_of(history)):
        made += [fact.data for fact in engine.apply(one) if isinstance(fact.data, QueueInterval)]
        for queue in engine.floor_view().queues if number % 5 == 4 else ():
            day = engine.queue_day(SITE, queue.queue)
            if day is None:
                continue
            published = [one for one in made if one.queue == queue.queue and one.started_at >= day.total.started_at]
            assert [one.started_at for one in day.intervals] == [one.started_at for one in published]
            for name in COUNTS:
                parts = sum(getattr(one, name) for one in (*day.intervals, day.running))
                assert getattr(day.total, name) == pytest.approx(parts, abs=1e-4), name
            for part in (*day.intervals, day.running):
                assert min(getattr(part, name) for name in COUNTS) >= 0
                for name in ("occupancy", "abandonment_rate"):
                    assert 0 <= (getattr(part, name) or 0) <= 1


@settings(max_examples=60)
@given(in_order)
def test_an_agents_day_is_a_partition_of_the_time_since_midnight(history: list[tuple[float, Data]]) -> None:
    engine = Engine(CONFIG, RULES)
    for one in stream_of(history):
        engine.apply(one)
        for agent in engine.floor_view().agents:
            if agent.today is not None:
                begun = max(agent.since, agent.today.since)
                whole = (begun - agent.today.since).total_seconds()
                assert sum(agent.today.state_s.values()) == pytest.approx(whole, abs=1e-5)
                assert agent.today.since.astimezone(ZoneInfo(ZONE)).date().isoformat() == agent.today.day


@settings(max_examples=60)
@given(in_order | with_late_ones, st.data())
def test_a_restart_anywhere_changes_no_figure(history: list[tuple[float, Data]], data: st.DataObject) -> None:
    stream = stream_of(history)
    cut = data.draw(st.integers(0, len(stream)))
    whole, first, second = Engine(CONFIG, RULES), Engine(CONFIG, RULES), Engine(CONFIG, RULES)
    expected = run(whole, stream)
    made = [fact for one in stream[:cut] for fact in first.apply(one)]
    second.load(first.dump())
    assert made + run(second, stream[cut:]) == expected
    assert second.dump() == whole.dump()
    for queue in whole.floor_view().queues:
        assert second.queue_day(SITE, queue.queue) == whole.queue_day(SITE, queue.queue)


@settings(max_examples=60)
@given(in_order | with_late_ones)
def test_the_sites_totals_count_each_agent_once(history: list[tuple[float, Data]]) -> None:
    engine = Engine(CONFIG, RULES)
    for one in stream_of(history):
        engine.apply(one)
    total, floor = engine.site_figures(SITE), engine.floor_view()
    assert total is not None
    states = [agent.state for agent in floor.agents]
    assert total.agents == {state: states.count(state) for state in set(states)}
    assert total.staffed == sum(state not in ("offline", "unknown") for state in states)
    assert total.waiting == sum(queue.waiting for queue in floor.queues)
    assert total.offered == sum(queue.offered for queue in floor.queues)


@settings(max_examples=60)
@given(in_order)
def test_the_sites_occupancy_is_that_of_its_agents_days(history: list[tuple[float, Data]]) -> None:
    engine = Engine(CONFIG, RULES)
    for one in stream_of(history):
        engine.apply(one)
    total, floor = engine.site_figures(SITE), engine.floor_view()
    assert total is not None
    if total.now is None or not total.day:
        return
    began = datetime.combine(datetime.fromisoformat(total.day), time(), ZoneInfo(ZONE))
    seconds: dict[str, float] = defaultdict(float)
    for agent in floor.agents:
        for state, spent in agent.today.state_s.items() if agent.today else ():
            seconds[state] += spent
        seconds[agent.state] += max(0.0, (total.now - max(agent.since, began)).total_seconds())
    handling = sum(seconds[state] for state in HANDLING)
    assert (total.occupancy or 0) * (handling + seconds["ready"]) == pytest.approx(handling, abs=1e-4)
