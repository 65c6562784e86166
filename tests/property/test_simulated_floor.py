"""The simulated floor is possible, the same for a seed, and lively enough to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.ingest.adapters.generic import GenericAdapter
from services.ingest.connectors.simulator.floor import SimulatedFloor, Told
from shared import events
from shared.codec import encode
from shared.envelope import cloud_type
from shared.siteconfig import SiteConfig
from tests.ingestkit import T0, raw
from tests.simkit import Line

HOURS = timedelta(hours=1)

# a smaller seed is no simpler day: shrinking would only take minutes
quick = settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@settings(quick, max_examples=2)
@given(st.integers(0, 2**32))
def test_a_day_and_a_half_is_physically_possible(seed: int) -> None:
    floor, line = SimulatedFloor(seed, T0), Line()
    for told in (*floor.opening, *floor.next(T0 + 36 * HOURS)):
        line.see(*told)
    assert len(line.calls) < 100, "calls that never end"


@quick
@given(st.integers(0, 2**32), st.lists(st.floats(0.001, 900), min_size=1, max_size=30))
def test_how_often_one_asks_changes_nothing(seed: int, steps: list[float]) -> None:
    whole, parts = SimulatedFloor(seed, T0), SimulatedFloor(seed, T0)
    assert whole.opening == parts.opening
    now, found = T0, []
    for step in steps:
        now += timedelta(seconds=step)
        found += parts.next(now)
    assert whole.next(now) == found


def test_another_seed_is_another_day() -> None:
    assert SimulatedFloor(1, T0).next(T0 + HOURS) != SimulatedFloor(2, T0).next(T0 + HOURS)


def test_two_runs_never_speak_of_each_others_calls() -> None:
    ids = [
        {
            told.data.call_id
            for told in SimulatedFloor(1, T0, run=run).opening
            if isinstance(told.data, events.CallStarted)
        }
        for run in ("a", "b")
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_the_floor_is_in_the_middle_of_a_morning_when_it_opens() -> None:
    floor, line = SimulatedFloor(1, T0), Line()
    for told in floor.opening:
        assert T0 - 4 * HOURS <= told.time <= T0
        line.see(*told)
    assert len({told.data.agent_id for told in floor.opening if isinstance(told.data, events.AgentLoggedOn)}) == 40
    assert 28 <= len(line.on) < 40
    assert line.away
    assert line.wrapping
    assert sum(leg.state == "talking" for leg in line.legs.values()) >= 8


def test_every_event_is_one_that_anybody_could_send() -> None:
    floor, adapter = SimulatedFloor(3, T0), GenericAdapter("s1", SiteConfig())
    for number, told in enumerate((*floor.opening, *floor.next(T0 + HOURS))):
        value = {
            "specversion": "1.0",
            "type": cloud_type(type(told.data)),
            "id": str(number),
            "source": "/s",
            "time": told.time,
            "data": told.data,
        }
        (event,) = adapter.feed(raw(encode(value), offset=number))
        assert event.data == told.data


def every(count: int, hours: float) -> float:
    """Seconds between."""
    return hours * 3600 / max(1, count)


def durations(told: Iterable[Told], starts: type, ends: tuple[type, ...], key: str) -> list[float]:
    """Seconds from each start to its end, by an id."""
    open_since: dict[str, datetime] = {}
    found = []
    for time, data in told:
        if isinstance(data, starts):
            open_since[getattr(data, key)] = time
        elif isinstance(data, ends) and getattr(data, key) in open_since:
            found.append((time - open_since.pop(getattr(data, key))).total_seconds())
    return found


def test_a_supervisor_sees_things_happen() -> None:
    """Six hours of the working day, over a few seeds; thresholds are those of the usual rules."""
    hours, days = 6, [SimulatedFloor(seed, T0).next(T0 + 6 * HOURS) for seed in range(3)]
    total = hours * len(days)
    counts = Counter(type(told.data) for told in (told for day in days for told in day))
    assert 2.0 <= every(counts[events.CallStarted], total) <= 3.2
    assert 15 <= every(counts[events.TransferRequested], total) <= 26

    def longer(than: float, starts: type, ends: tuple[type, ...], key: str) -> float:
        found = [s for day in days for s in durations(day, starts, ends, key)]
        return every(sum(seconds > than for seconds in found), total)

    assert (
        40 <= longer(7, events.TransferRequested, (events.TransferBridged, events.TransferEnded), "transfer_id") <= 80
    )
    assert 90 <= longer(60, events.LegHeld, (events.LegRetrieved, events.LegCleared), "leg_id") <= 420
    assert 90 <= longer(45, events.WrapStarted, (events.WrapEnded,), "agent_id") <= 420
    assert 120 <= longer(900, events.AgentNotReady, (events.AgentReady,), "agent_id") <= 600
    assert 40 <= longer(30, events.CallQueued, (events.CallDequeued,), "call_id") <= 420


def test_everything_that_can_go_wrong_does() -> None:
    day = SimulatedFloor(1, T0).next(T0 + 9 * HOURS)
    seen = Counter(
        (type(told.data).__name__, word)
        for told in day
        for word in (
            getattr(told.data, "reason", None)
            or getattr(told.data, "outcome", None)
            or getattr(told.data, "kind", None),
            getattr(told.data, "outcome", None),
            getattr(told.data, "cause", None),
        )
        if word
    )
    for kind, word in (
        ("CallDequeued", "abandoned"),
        ("LegCleared", "no_answer"),
        ("LegCleared", "busy"),
        ("LegCleared", "cancelled"),
        ("TransferRequested", "blind"),
        ("TransferRequested", "attended"),
        ("TransferRequested", "queue"),
        ("TransferEnded", "failed"),
        ("TransferEnded", "cancelled"),
        ("TransferEnded", "abandoned"),
        *(("AgentNotReady", reason) for reason in ("lunch", "tea", "training", "meeting", "no answer")),
    ):
        assert seen[kind, word], f"no {kind} {word} in a day"
    short = [s for s in durations(day, events.CallQueued, (events.CallDequeued,), "call_id") if s < 5]
    assert short
    assert {type(told.data) for told in day} >= {events.AgentLoggedOn, events.AgentLoggedOff}
