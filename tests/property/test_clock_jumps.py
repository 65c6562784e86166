"""A floor whose switch's clock is set now and then tells the same story as one whose clock is not, moved by the jumps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from shared import events, facts
from shared.events import Event
from shared.siteconfig import Leases, QueueConfig, SiteConfig, Sites
from tests.floorkit import RULES, SITE, event
from tests.property.histories import History, histories

many = settings(max_examples=200)
# whole seconds and broken ones; all stay within the day, whose end is tested by itself
JUMPS = st.sampled_from([-7200.0, -600.0, -2.5, 2.5, 61.25, 600.0, 7200.0])
PLACES = st.dictionaries(st.integers(0, 59), JUMPS, max_size=3)  # before which step, by how much
CONFIG = Sites(
    {SITE: SiteConfig(queues={"sales": QueueConfig(wrap_up_s=6)}, leases=Leases(line_s=120, declared_s=300))}
)

# What is of the calendar and not of elapsed time, and what names itself by a time.
ELSEWHERE = {"today", "flag_id", "evidence", "lease_until"}


class Story:
    """What an engine told, with all times as they would have been had nobody set the clock."""

    def __init__(self) -> None:
        self.engine = Engine(CONFIG, RULES)
        self.away = 0.0  # seconds that the clock was set by, altogether
        self.told: list[Any] = []

    def hear(self, one: Event) -> None:
        for fact in self.engine.apply(one):
            if not isinstance(fact.data, facts.QueueInterval):
                self.told.append((type(fact.data).__name__, self.as_unset(fact.time), self.as_unset(fact.data)))

    def as_unset(self, found: Any) -> Any:
        if isinstance(found, datetime):
            return found - timedelta(seconds=self.away)
        if isinstance(found, msgspec.Struct):
            return {
                name: self.as_unset(getattr(found, name)) for name in found.__struct_fields__ if name not in ELSEWHERE
            }
        if isinstance(found, list | tuple):
            return [self.as_unset(one) for one in found]
        if isinstance(found, dict):
            return {key: self.as_unset(one) for key, one in found.items()}
        return round(found, 6) if isinstance(found, float) else found

    def board(self) -> Any:
        floor = self.engine.floor_view()
        waiting = {queue.queue: (queue.waiting, self.as_unset(queue.longest_since)) for queue in floor.queues}
        return [self.as_unset(views) for views in (floor.agents, floor.calls, floor.transfers, floor.flags)], waiting


def on_clock(one: Event, away: float, jump: int = -1) -> Event:
    """The event as a switch stamps it whose clock was set by `away` altogether."""
    data = one.data
    if isinstance(data, events.WrapStarted) and data.until is not None:
        data = msgspec.structs.replace(data, until=data.until + timedelta(seconds=away))
    if isinstance(data, events.Clock):
        data = events.Clock(jump=jump)
    return msgspec.structs.replace(one, time=one.time + timedelta(seconds=away), data=data)


def streams_of(history: History, jumps: dict[int, float]) -> tuple[list[Event], list[tuple[float, Event]]]:
    """The history told by a clock that is never set, and by one that is: with how much it was set until each event."""
    second, now, away, offset, jump = 100, 100, 0.0, 1, -1
    plain = [event(second, events.LinkUp(connector="test"), 0)]
    jumpy = [(away, plain[0])]
    for number, (step, data) in enumerate(history):
        by = jumps.get(number)
        if by is not None:
            plain.append(event(now, events.Clock()))
            away, jump = away + by, offset
            jumpy.append((away, event(now + away, events.ClockJumped(by_s=by), offset)))
            offset += 1
        second = max(0, second + step)
        now = max(now, second)
        one = event(second, data, -1 if isinstance(data, events.Clock) else offset)
        offset += 1
        plain.append(one)
        jumpy.append((away, on_clock(one, away, jump)))
    return plain, jumpy


def play(story: Story, stream: list[tuple[float, Event]]) -> None:
    for away, one in stream:
        story.away = away
        story.hear(one)


@many
@given(histories, PLACES)
def test_a_set_clock_raises_no_flag_ends_none_and_changes_no_duration(
    history: History, jumps: dict[int, float]
) -> None:
    plain, jumpy = streams_of(history, jumps)
    unset, was_set = Story(), Story()
    play(unset, [(0.0, one) for one in plain])
    play(was_set, jumpy)
    assert was_set.told == unset.told
    assert was_set.board() == unset.board()
    assert was_set.engine.floor_view().sites[0].clock_jumps == sum(number < len(history) for number in jumps)


SUMS = (
    "offered",
    "answered",
    "abandoned",
    "other_ended",
    "wait_answered_s",
    "wait_abandoned_s",
    "handled",
    "talk_s",
    "hold_s",
)
TIMES = ("wrap_s", "handling_s", "ready_s")


def totals(stream: list[Event]) -> dict[str, dict[str, float]]:
    """Each queue's figures over all its intervals."""
    engine = Engine(CONFIG, RULES)
    found: dict[str, dict[str, float]] = {}
    for fact in [fact for one in stream for fact in engine.apply(one)] + engine.finish():
        if isinstance(fact.data, facts.QueueInterval):
            sums = found.setdefault(fact.data.queue, dict.fromkeys(SUMS + TIMES, 0.0))
            for name in SUMS + TIMES:
                sums[name] = round(sums[name] + getattr(fact.data, name), 3)
    return found


@many
@given(histories, PLACES)
def test_a_set_clock_changes_no_sum_of_a_queue(history: History, jumps: dict[int, float]) -> None:
    """Intervals end where the clock was set and begin elsewhere, but nothing is counted twice or not at all. In order, because
    what comes late is put right in the running interval only: what was published stays."""
    plain, jumpy = streams_of([(max(0, step), data) for step, data in history], jumps)
    assert totals([one for _, one in jumpy]) == totals(plain)


@many
@given(histories, PLACES, st.data())
def test_a_run_continued_from_any_checkpoint_around_a_jump_equals_an_uninterrupted_one(
    history: History, jumps: dict[int, float], data: st.DataObject
) -> None:
    _, jumpy = streams_of(history, jumps)
    cut = data.draw(st.integers(0, len(jumpy)))
    whole = Engine(CONFIG, RULES)
    expected = [fact for _, one in jumpy for fact in whole.apply(one)]
    first, second = Engine(CONFIG, RULES), Engine(CONFIG, RULES)
    made = [fact for _, one in jumpy[:cut] for fact in first.apply(one)]
    second.load(first.dump())
    assert made + [fact for _, one in jumpy[cut:] for fact in second.apply(one)] == expected
    assert second.dump() == whole.dump()


@many
@given(histories, PLACES)
def test_a_jump_told_twice_is_a_duplicate(history: History, jumps: dict[int, float]) -> None:
    _, jumpy = streams_of(history, jumps)
    once, twice = Engine(CONFIG, RULES), Engine(CONFIG, RULES)
    for _, one in jumpy:
        once.apply(one)
        twice.apply(one)
        if isinstance(one.data, events.ClockJumped):
            assert twice.apply(one) == []
    assert once.floor_view().agents == twice.floor_view().agents
