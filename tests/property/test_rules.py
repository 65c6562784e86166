"""Rules against a slow reference: a flag is raised when its condition has held for as long as its rule allows, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import Rule, RuleBook, Summary, Where
from shared import events, facts
from shared.envelope import Data
from shared.facts import Fact, Subject
from tests.floorkit import CONFIG, Bench, at
from tests.property.histories import History, histories
from tests.property.test_engine import run, stream_of

many = settings(max_examples=150)


def rule(name: str, subject: Subject, when: Any, hold: float, keep: float = 0, where: Where | None = None) -> Rule:
    return Rule(
        name=name,
        subject=subject,
        when=when,
        hold=timedelta(seconds=hold),
        keep=timedelta(seconds=keep),
        severity="info",
        where=where or Where(),
        summary=Summary(en="{for}", zh="{for}"),
    )


BOOK = RuleBook(
    (
        rule("on_the_line", "agent", 'state in ["talk", "hold", "consult"]', 20, keep=15),
        rule("alone", "agent", 'state == "talk" and not listened', 10),
        rule("busy", "agent", "other_calls >= 1 or on_transfer", 5),
        rule("missed", "agent", "missed_in_row >= 1", 0, keep=60),
        rule("in_hours", "agent", {"state": "ready"}, 30, where=Where(hours=("09:02-09:04", "09:05-09:20"))),
        rule("waits", "call", 'state == "queued" and direction != "internal"', 30, keep=5),
        rule("lonely_call", "call", 'agents == 0 and state != "queued"', 10),
        rule("slow_transfer", "transfer", {"state": "running"}, 7),
        rule("over", "transfer", 'state in ["failed", "cancelled", "abandoned"]', 0),
        rule("queue_waits", "queue", "longest_wait_s > 20", 5, keep=10),
        rule("nobody", "queue", "waiting >= 1 and ready == 0", 10),
        rule("gave_up", "queue", "recent_offered >= 2 and recent_abandonment_rate > 0.3", 0),
        rule("down", "site", 'link == "down"', 0),
        rule("crowd", "site", "calls >= 2 and talk >= 1", 3),
    )
)


@many
@given(histories, st.data())
def test_watches_of_every_kind_outlive_a_checkpoint(history: History, data: st.DataObject) -> None:
    stream = stream_of(history)
    cut = data.draw(st.integers(0, len(stream)))
    whole, first, second = (Engine(CONFIG, BOOK) for _ in range(3))
    expected = run(whole, stream)
    made = run(first, stream[:cut])
    second.load(first.dump())
    assert second.dump() == first.dump()
    assert made + run(second, stream[cut:]) == expected
    assert second.dump() == whole.dump()


@many
@given(histories)
def test_a_flag_is_raised_once_at_its_deadline_and_cleared_once(history: History) -> None:
    engine = Engine(CONFIG, BOOK)
    raised: dict[str, facts.FlagRaised] = {}
    cleared: set[str] = set()
    for fact in run(engine, stream_of(history)):
        if isinstance(fact.data, facts.FlagRaised):
            assert fact.data.flag_id not in raised
            raised[fact.data.flag_id] = fact.data
            assert fact.data.raised_at - fact.data.started_at == BOOK.by_name[fact.data.rule].hold
        elif isinstance(fact.data, facts.FlagCleared):
            assert fact.data.flag_id in raised
            assert fact.data.flag_id not in cleared
            cleared.add(fact.data.flag_id)
    assert {flag.flag_id for flag in engine.floor_view().flags} == set(raised) - cleared
    for floor in engine._floors.values():
        state = floor.state
        watched = {(name, key) for kind in floor.watched.values() for key, mine in kind.items() for name in mine}
        assert watched == {(name, key) for name, mine in state.watches.items() for key in mine}
        assert {watch.flag_id for mine in state.watches.values() for watch in mine.values()} - {""} == set(state.flags)


@many
@given(histories, st.data())
def test_rules_that_change_in_mid_run_leave_nothing_behind(history: History, data: st.DataObject) -> None:
    stream = stream_of(history)
    cut = data.draw(st.integers(0, len(stream)))
    chosen = data.draw(st.lists(st.sampled_from(BOOK.rules), unique_by=lambda one: one.name))
    engine = Engine(CONFIG, BOOK)
    made = run(engine, stream[:cut])
    made += engine.use_rules(RuleBook(chosen))
    made += run(engine, stream[cut:])
    open_flags: set[str] = set()
    for fact in made:
        if isinstance(fact.data, facts.FlagRaised):
            open_flags.add(fact.data.flag_id)
        elif isinstance(fact.data, facts.FlagCleared):
            open_flags.remove(fact.data.flag_id)
    assert {flag.flag_id for flag in engine.floor_view().flags} == open_flags
    assert {flag.rule for flag in engine.floor_view().flags} <= {one.name for one in chosen}


# ---------------------------------------------------------------- the reference

Step = tuple[float, bool]  # from this second on, whether the condition holds


def spans(steps: list[Step], end: float) -> Iterator[tuple[float, float]]:
    """The longest stretches of seconds in which the condition holds."""
    began: float | None = None
    for second, holds in steps:
        if holds and began is None:
            began = second
        elif not holds and began is not None:
            if second > began:
                yield began, second
            began = None
    if began is not None:
        yield began, end


def expected(steps: list[Step], hold: float, keep: float, end: float) -> list[tuple[float, float, float | None]]:
    """(start, raised, cleared) of every flag that must come up to `end`, worked out from the stretches alone."""
    found: list[tuple[float, float, float | None]] = []
    for begin, stop in spans(steps, end):
        if found and (found[-1][2] is None or begin <= found[-1][2]):
            # the flag was still kept when the condition held again: it stays
            start, raised, _ = found[-1]
            found[-1] = (start, raised, stop + keep if stop < end else None)
        elif stop - begin > hold:
            found.append((begin, begin + hold, stop + keep if stop < end else None))
    return [(start, raised, None if cleared is None or cleared >= end else cleared) for start, raised, cleared in found]


turns = st.lists(st.tuples(st.sampled_from([1, 2, 3, 7, 10, 11, 25]), st.integers(0, 3)), min_size=1, max_size=25)


def made_of(floor: Bench, made: list[Fact]) -> list[tuple[float, float, float | None]]:
    cleared = {
        fact.data.flag_id: (fact.data.cleared_at - at(0)).total_seconds()
        for fact in made
        if isinstance(fact.data, facts.FlagCleared)
    }
    return [
        (
            (flag.started_at - at(0)).total_seconds(),
            (flag.raised_at - at(0)).total_seconds(),
            cleared.get(flag.flag_id),
        )
        for fact in made
        if isinstance(flag := fact.data, facts.FlagRaised)
    ]


@many
@given(turns, st.sampled_from([0, 2, 10, 30]), st.sampled_from([0, 2, 10, 30]))
def test_flags_of_an_agent_equal_those_of_the_reference(turns: list[tuple[int, int]], hold: float, keep: float) -> None:
    """An agent goes in and out of a condition over two states and whether somebody listens."""
    book = RuleBook(
        (rule("r", "agent", 'state in ["ready", "break"] and reason != "lunch" and not listened', hold, keep),)
    )
    floor = Bench(book)
    floor(0, events.AgentLoggedOn(agent_id="1"))
    listened, lunch, second, steps = False, False, 0.0, [(0.0, True)]
    for wait, what in turns:
        second += wait
        data: Data
        match what:
            case 0:
                data, lunch = events.AgentReady(agent_id="1"), False
            case 1:
                data, lunch = events.AgentNotReady(agent_id="1", reason="tea"), False
            case 2:
                data, lunch = events.AgentNotReady(agent_id="1", reason="lunch"), True
            case _:
                data = (
                    events.ListenEnded(listen_id="l") if listened else events.ListenStarted(listen_id="l", agent_id="1")
                )
                listened = not listened
        floor(second, data)
        steps.append((second, not listened and not lunch))
    end = second + 100
    floor.mark(end)
    assert made_of(floor, floor.facts) == expected(steps, hold, keep, end)


@many
@given(turns, st.sampled_from([0, 2, 10, 30]), st.sampled_from([0, 2, 10, 30]))
def test_flags_of_a_queue_equal_those_of_the_reference_on_the_grid(
    turns: list[tuple[int, int]], hold: float, keep: float
) -> None:
    """Calls enter and leave; whole seconds, so that the grid misses nothing."""
    floor = Bench(RuleBook((rule("r", "queue", "waiting >= 2", hold, keep),)))
    waiting: list[str] = []
    second, steps = 0.0, [(0.0, False)]
    for number, (wait, what) in enumerate(turns):
        second += wait
        if what <= 1 or not waiting:
            waiting.append(f"c{number}")
            floor(second, events.CallQueued(call_id=waiting[-1], queue="sales"))
        else:
            floor(second, events.CallDequeued(call_id=waiting.pop(0), queue="sales", reason="abandoned"))
        steps.append((second, len(waiting) >= 2))
    end = second + 100
    floor.mark(end)
    assert made_of(floor, floor.facts) == expected(steps, hold, keep, end)


waits = st.sampled_from(["longest_wait_s > 20", "longest_wait_s >= 20 and waiting >= 1", "20 <= longest_wait_s < 30.5"])


@many
@given(
    st.lists(st.tuples(st.floats(0.001, 40), st.integers(0, 2)), min_size=1, max_size=15),
    waits,
    st.sampled_from([0, 5]),
)
def test_the_longest_wait_is_asked_for_whenever_it_matters(
    turns: list[tuple[float, int]], when: str, keep: float
) -> None:
    """Against the same rule, written so that nobody can tell when it changes and it is polled at every second."""
    polled = f"({when}) and longest_wait_s + waiting >= 0"
    made = []
    for one in (when, polled):
        floor, waiting, second = Bench(RuleBook((rule("r", "queue", one, 3, keep),))), [], 0.0
        for number, (wait, what) in enumerate(turns):
            second += wait
            if what or not waiting:
                waiting.append(f"c{number}")
                floor(second, events.CallQueued(call_id=waiting[-1], queue="sales"))
            else:
                floor(second, events.CallDequeued(call_id=waiting.pop(0), queue="sales", reason="abandoned"))
        floor.mark(second + 100)
        made.append(made_of(floor, floor.facts))
    assert made[0] == made[1]
