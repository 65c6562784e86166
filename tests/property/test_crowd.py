"""Names without end: whatever a source makes up, the state stays bounded, consistent, and the same from any checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core import floor as bounds
from services.monitor.core.engine import Engine
from services.monitor.core.state import SiteState
from services.monitor.core.trust import crowd
from shared import events
from shared.envelope import Data
from shared.facts import Fact
from tests.floorkit import RULES, SITE, Bench, event
from tests.property.histories import CONFIG, happenings

MOST_AGENTS, MOST_QUEUES = 4, 3

# "1" to "3", "sales" and "support" are in the other histories too, so that some are known and some are not
agents = st.integers(1, 12).map(str)
queues = st.sampled_from(["sales", "support", *(f"q{n}" for n in range(6))])
strangers = st.one_of(
    st.builds(events.AgentLoggedOn, agent_id=agents, queues=st.lists(queues, max_size=5).map(tuple)),
    *(st.builds(kind, agent_id=agents) for kind in (events.AgentSeen, events.AgentLoggedOff, events.AgentReady)),
    st.builds(events.WrapStarted, agent_id=agents, queue=queues),
    st.builds(events.CallQueued, call_id=st.sampled_from("abc"), queue=queues),
    st.builds(
        events.CallDequeued,
        call_id=st.sampled_from("abc"),
        queue=queues,
        reason=st.sampled_from(["answered", "abandoned"]),
        agent_id=agents,
    ),
    st.builds(
        events.LegStarted,
        call_id=st.sampled_from("abc"),
        leg_id=st.sampled_from("klmn"),
        agent_id=agents,
        state=st.sampled_from(["ringing", "talking"]),
        queue=queues,
    ),
    st.builds(
        events.TransferRequested,
        transfer_id=st.sampled_from("tu"),
        call_id=st.sampled_from("abc"),
        kind=st.just("blind"),
        from_agent=agents,
    ),
)
waits = st.one_of(st.integers(0, 40), st.integers(-5, 5), st.sampled_from([100, 900, 43_200]))
histories = st.lists(st.tuples(waits, st.one_of(strangers, strangers, happenings)), min_size=1, max_size=90)


def small(monkeypatch: pytest.MonkeyPatch, agents: int = MOST_AGENTS, queues: int = MOST_QUEUES) -> None:
    monkeypatch.setattr(bounds, "MOST_AGENTS", agents)
    monkeypatch.setattr(bounds, "MOST_QUEUES", queues)


def play(
    history: list[tuple[int, Data]], checkpoints: set[int], look: Callable[[SiteState], None]
) -> tuple[Engine, list[Fact]]:
    engine, made, now = Engine(CONFIG, RULES), list[Fact](), 0
    for number, (wait, what) in enumerate(history):
        if number in checkpoints:
            saved, engine = engine.dump(), Engine(CONFIG, RULES)
            engine.load(saved)
        now += wait
        made += engine.apply(event(now, what, -1 if isinstance(what, events.Clock) else number))
        look(engine._floors[SITE].state)
    return engine, made


def bounded_and_consistent(state: SiteState) -> None:
    assert len(state.agents) <= MOST_AGENTS
    assert len(state.queues) <= MOST_QUEUES + 1
    counted = Counter(agent.counted for agent in state.agents.values() if agent.counted)
    assert +Counter(state.crew.staff) == counted
    for queue in state.queues.values():
        assert +Counter(queue.staff) == Counter(
            agent.state for agent in state.agents.values() if queue.queue in agent.queues
        )
        assert queue.handling >= 0
    assert {leg.agent_id for leg in state.legs.values()} <= {"", *state.agents}
    assert sum(queue.handling for queue in state.queues.values()) <= state.crew.handling <= len(state.agents)


@settings(max_examples=200)
@given(histories, st.sets(st.integers(0, 90), max_size=6))
def test_a_full_site_stays_consistent_and_goes_on_from_any_checkpoint(
    history: list[tuple[int, Data]], checkpoints: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        small(monkeypatch)
        monkeypatch.setattr(crowd, "_LONG_GONE", timedelta(seconds=100))
        through, made = play(history, set(), bounded_and_consistent)
        restored, made_again = play(history, checkpoints, bounded_and_consistent)
    assert made == made_again
    assert restored.dump() == through.dump()


FLOODS: dict[str, Callable[[str], tuple[Data, ...]]] = {
    "ready": lambda name: (events.AgentReady(agent_id=name),),
    "on and off": lambda name: (
        events.AgentLoggedOn(agent_id=name, queues=(name,)),
        events.AgentLoggedOff(agent_id=name),
    ),
    "seen": lambda name: (events.AgentSeen(agent_id=name, lease_s=30),),
    "wrap": lambda name: (events.WrapStarted(agent_id=name, queue=name),),
    "served": lambda name: (events.AgentLoggedOn(agent_id="1", queues=(name, f"{name}/2")),),
    "waiting": lambda name: (
        events.CallQueued(call_id=name, queue=name),
        events.CallDequeued(call_id=name, queue=name, reason="abandoned"),
        events.CallCleared(call_id=name),
    ),
    "left only": lambda name: (events.CallDequeued(call_id="c", queue=name, reason="abandoned", agent_id=name),),
    "answered": lambda name: (
        events.LegStarted(call_id=name, leg_id=name, agent_id=name, queue=name),
        events.LegAnswered(call_id=name, leg_id=name),
        events.TransferRequested(transfer_id=name, call_id=name, kind="queue", from_agent=name, to_queue=name),
        events.LegCleared(call_id=name, leg_id=name),
        events.CallCleared(call_id=name),
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_names_leaves_a_state_of_one_size(flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 100, 20)
    bench, chance = Bench(), Random(1)
    bench(0, events.LinkUp(connector="x"))
    sizes: list[int] = []
    for number in range(6000):
        bench(number * 0.2, *FLOODS[flood](f"{chance.randrange(10**12):012}"))
        if number in (2999, 5999):
            sizes.append(len(bench.engine.dump()))
    assert sizes[1] < 1.05 * sizes[0], biggest(bench)
    assert len(bench.engine.floor_view().agents) <= 100
    assert len(bench.engine.floor_view().queues) <= 21


def biggest(bench: Bench) -> list[tuple[int, str]]:
    """What of the state takes most room, for the message."""
    state = bench.engine._floors[SITE].state
    found: dict[str, Any] = {name: getattr(state, name) for name in state.__struct_fields__}
    return sorted(((len(msgspec.msgpack.encode(value)), name) for name, value in found.items()), reverse=True)[:5]
