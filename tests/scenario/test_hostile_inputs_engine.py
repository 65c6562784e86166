"""What switches, and the queues in between, really do, and what the board must make of it. One test for each trap."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from services.monitor.core.engine import Engine
from services.monitor.core.views import AgentView, QueueView
from services.monitor.rulefile import load_rulebook
from shared.envelope import Data
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    AgentReady,
    AgentSeen,
    CallCleared,
    CallDequeued,
    CallQueued,
    CallStarted,
    Event,
    LegAnswered,
    LegCleared,
    LegStarted,
    ListenEnded,
    ListenStarted,
)
from shared.facts import AgentInterval, CallEnded, FlagCleared, FlagRaised
from tests.floorkit import CONFIG, RULES, SITE, Bench, at, event

HEARTBEAT_S = 120.0
RULES_FILE = Path(__file__).parents[2] / "deploy" / "rules.yaml"


def card(floor: Bench, agent_id: str = "1") -> AgentView:
    view = floor.engine.view("agent", SITE, agent_id)
    assert isinstance(view, AgentView)
    return view


def queue(floor: Bench) -> QueueView:
    view = floor.engine.view("queue", SITE, "sales")
    assert isinstance(view, QueueView)
    return view


def in_a_call(floor: Bench) -> Bench:
    """Agent 1 took call c from the queue."""
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), CallStarted(call_id="c"))
    floor(1, CallQueued(call_id="c", queue="sales"))
    floor(4, LegStarted(call_id="c", leg_id="l", agent_id="1", queue="sales"))
    floor(6, LegAnswered(call_id="c", leg_id="l"))
    floor(6, CallDequeued(call_id="c", queue="sales", reason="answered", agent_id="1"))
    return floor


# ---------------------------------------------------------------- heartbeats


def test_a_heartbeat_up_to_an_hour_after_logout_must_not_resurrect_an_agent() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), AgentSeen(agent_id="1", lease_s=HEARTBEAT_S))
    floor(60, AgentLoggedOff(agent_id="1"))
    for second in range(90, 3661, 30):
        floor(second, AgentSeen(agent_id="1", lease_s=HEARTBEAT_S))
        assert (floor.agent("1"), queue(floor).agents) == ("offline", {})
    floor.mark(8000)
    assert (card(floor).state, card(floor).since, card(floor).lease_until) == ("offline", at(60), None)
    assert floor.engine.anomalies(SITE) == {}, "it is what that switch does"


def test_heartbeat_absent_for_its_promise_and_a_moment_is_unknown() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), AgentSeen(agent_id="1", lease_s=HEARTBEAT_S))
    floor.mark(HEARTBEAT_S)
    assert floor.agent("1") == "ready"
    floor.mark(HEARTBEAT_S + 0.001)
    assert (card(floor).state, card(floor).since, card(floor).seen) == ("unknown", at(HEARTBEAT_S), at(0))
    floor(HEARTBEAT_S + 5, AgentSeen(agent_id="1", lease_s=HEARTBEAT_S))
    assert (card(floor).state, card(floor).provenance) == ("ready", "observed")


def test_heartbeats_alone_keep_an_agent_as_it_is_all_day() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1", reason="training"))
    for second in range(0, 36_000, 100):
        floor(second, AgentSeen(agent_id="1", lease_s=HEARTBEAT_S))
    assert (card(floor).state, card(floor).since, card(floor).reason) == ("break", at(0), "training")
    assert floor.made(AgentInterval) == []


# ---------------------------------------------------------------- listening


def test_a_listening_contact_must_not_raise_handled_count_or_the_inspectors_occupancy() -> None:
    with_listen, without = in_a_call(Bench()), in_a_call(Bench())
    for floor in (with_listen, without):
        floor(6, AgentLoggedOn(agent_id="inspector", queues=("sales",)))
    with_listen(10, ListenStarted(listen_id="s", agent_id="1", call_id="c", listener="inspector"))
    assert (card(with_listen).listened, with_listen.agent("inspector")) == (True, "ready")
    with_listen(50, ListenEnded(listen_id="s"))
    for floor in (with_listen, without):
        floor(66, LegCleared(call_id="c", leg_id="l"), CallCleared(call_id="c", cleared_by="customer"))
        floor.mark(100)
        floor.facts += floor.engine.finish()
    assert with_listen.made(CallEnded) == without.made(CallEnded)
    assert with_listen.made(AgentInterval) == without.made(AgentInterval)
    assert [one.state for one in with_listen.made(AgentInterval) if one.agent_id == "inspector"] == [
        "offline",
        "ready",
    ]
    assert queue(with_listen) == queue(without)
    assert card(with_listen, "inspector").today == card(without, "inspector").today
    assert card(with_listen).today == card(without).today


def test_two_supervisors_on_one_call_and_one_leaves() -> None:
    floor = in_a_call(Bench())
    floor(10, ListenStarted(listen_id="s", agent_id="1", call_id="c", listener="8"))
    floor(11, ListenStarted(listen_id="t", agent_id="1", call_id="c", listener="9"))
    floor(20, ListenEnded(listen_id="s"))
    assert card(floor).listened
    floor(21, ListenEnded(listen_id="s"))
    assert card(floor).listened, "an end that comes twice ends nobody else's"
    floor(30, ListenEnded(listen_id="t"))
    assert not card(floor).listened
    assert floor.engine.anomalies(SITE) == {"listen_ended_without_start": 1}


def test_a_listener_leg_orphaned_after_the_supervisors_browser_dies() -> None:
    floor = in_a_call(Bench())
    floor(10, ListenStarted(listen_id="s", agent_id="1", call_id="c", listener="8"))
    floor(60, LegCleared(call_id="c", leg_id="l"), CallCleared(call_id="c"))
    assert not card(floor).listened
    floor(70, LegStarted(call_id="d", leg_id="m", agent_id="1"), LegAnswered(call_id="d", leg_id="m"))
    floor.mark(200)
    assert not card(floor).listened, "nobody listens to the next call"
    assert floor.engine.anomalies(SITE)["listen_end_lost"] == 1


# ---------------------------------------------------------------- flapping


def test_status_flapping_every_3_s_for_2_h() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor.engine.changes()
    told, shown = 0, Counter[str]()
    for turn, second in enumerate(range(60, 7260, 3)):
        floor(second, AgentReady(agent_id="1") if turn % 2 else AgentNotReady(agent_id="1"))
        told += ("agent", SITE, "1") in floor.engine.changes()
        if card(floor).flapping_since is not None:
            shown[card(floor).state] += 1
    assert card(floor).flapping_since == at(60)
    assert shown.total() > 2300
    assert told < 650, "2400 changes, of which boards hear at most one in ten seconds"
    assert sum(one.duration_s for one in floor.made(AgentInterval)) == 7257.0, "records are exact"
    assert queue(floor).agents == {"ready": 1}, "and so is the staff"
    floor.mark(7300)
    assert (card(floor).state, card(floor).flapping_since, card(floor).since) == ("ready", None, at(7257))
    assert floor.engine.anomalies(SITE)["flapping"] == 1


def test_flapping_is_flagged_once_by_the_rules_that_ship() -> None:
    floor = Bench(load_rulebook(RULES_FILE))
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    for turn, second in enumerate(range(60, 1860, 3)):
        floor(second, AgentReady(agent_id="1") if turn % 2 else AgentNotReady(agent_id="1"))
    assert [(one.rule, one.subject_id) for one in floor.made(FlagRaised)] == [("flapping_agent", "1")]
    floor.mark(2400)
    assert [one.rule for one in floor.made(FlagCleared)] == ["flapping_agent"]


# ---------------------------------------------------------------- orders


def test_disconnect_before_enqueue() -> None:
    floor = Bench()
    floor(0.2, CallCleared(call_id="c", cleared_by="customer"))
    floor(0.1, CallQueued(call_id="c", queue="sales"))
    floor(0.3, CallDequeued(call_id="c", queue="sales", reason="abandoned"))
    floor.mark(600)
    assert floor.engine.floor_view().calls == ()
    shown = floor.engine.view("queue", SITE, "sales")
    assert shown is None or queue(floor).waiting == 0
    assert floor.made(FlagRaised) == [], "nobody waits"


def delivered(*order: int) -> list[Event]:
    """One agent's events, by their number, each at its own position."""
    told: list[Data] = [
        AgentLoggedOn(agent_id="1"),
        LegStarted(call_id="c", leg_id="l", agent_id="1"),
        LegAnswered(call_id="c", leg_id="l"),
        LegCleared(call_id="c", leg_id="l"),
        AgentNotReady(agent_id="1", reason="tea"),
    ]
    return [event(10 * number, told[number], number) for number in order]


@pytest.mark.parametrize(
    "order",
    [(0, 0, 1, 1, 2, 2, 3, 3, 4, 4), (0, 1, 2, 0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 0, 1, 2, 3, 4)],
)
def test_duplicated_kafka_delivery_for_one_agent(order: tuple[int, ...]) -> None:
    once, twice = Engine(CONFIG, RULES), Engine(CONFIG, RULES)
    expected = [fact for one in delivered(0, 1, 2, 3, 4) for fact in once.apply(one)]
    assert [fact for one in delivered(*order) for fact in twice.apply(one)] == expected
    assert twice.floor_view().agents == once.floor_view().agents
    assert twice.anomalies(SITE) == {"duplicate": len(order) - 5}


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_reordered_kafka_delivery_for_one_agent(order: tuple[int, ...]) -> None:
    """Whoever shuffles events before they get positions: time stays a partition, and the end is the true one."""
    floor = Bench()
    for number in order:
        (one,) = delivered(number)
        floor((one.time - at(0)).total_seconds(), one.data)
    intervals = floor.made(AgentInterval)
    for before, after in itertools.pairwise(intervals):
        assert before.ended_at == after.started_at
    floor.mark(7000)
    assert floor.agent("1") == "break"
