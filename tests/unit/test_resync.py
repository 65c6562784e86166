"""Snapshots of the switch sweep ghosts, renew what they name, and touch nothing that is younger than they are."""

from __future__ import annotations

import pytest

from services.monitor.core.views import AgentView, CallView, QueueView
from shared import events
from shared.envelope import Data
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentReady,
    CallCleared,
    CallQueued,
    CallStarted,
    LegAnswered,
    LegStarted,
    Snapshot,
    TransferRequested,
)
from shared.facts import CallEnded, TransferEnded
from shared.siteconfig import Leases, SiteConfig, Sites
from tests.floorkit import RULES, SITE, Bench, at


def calls(floor: Bench) -> dict[str, CallView]:
    return {call.call_id: call for call in floor.engine.floor_view().calls}


def agent(floor: Bench, agent_id: str) -> AgentView:
    view = floor.engine.view("agent", SITE, agent_id)
    assert isinstance(view, AgentView)
    return view


def snapshot(**parts: object) -> Snapshot:
    return Snapshot(connector="x", **parts)  # type: ignore[arg-type]


def test_a_call_that_the_switch_does_not_name_is_ended_with_all_that_runs_in_it() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallStarted(call_id="a"), CallStarted(call_id="b"))
    floor(1, LegStarted(call_id="a", leg_id="l", agent_id="1"), LegAnswered(call_id="a", leg_id="l"))
    floor(2, TransferRequested(transfer_id="t", call_id="a", kind="blind", from_agent="1"))
    floor(60, snapshot(calls=("b",)))
    assert set(calls(floor)) == {"b"}
    assert floor.agent("1") == "ready"
    assert agent(floor, "1").seen == at(2), "that its call is a ghost is no evidence of the agent"
    assert agent(floor, "1").provenance == "inferred"
    (transfer,), (record,) = floor.made(TransferEnded), floor.made(CallEnded)
    assert (transfer.outcome, record.outcome, record.ended_at) == ("failed", "answered", at(60))
    assert floor.engine.anomalies(SITE) == {"ghost_call": 1}
    (evidence,) = floor.engine.anomaly_log(SITE)
    assert (evidence.subject_id, evidence.event_type) == ("a", "snapshot")
    assert evidence.before.startswith("transferring since")


def test_parts_that_were_not_asked_for_sweep_nothing() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallQueued(call_id="a", queue="sales"))
    floor(1, LegStarted(call_id="a", leg_id="l", agent_id="1"))
    floor(60, snapshot())
    floor(61, snapshot(queues={"support": ()}))
    assert (set(calls(floor)), floor.agent("1")) == ({"a"}, "ringing")
    assert floor.engine.anomalies(SITE) == {}


def test_a_call_that_began_after_the_snapshot_was_taken_is_not_swept() -> None:
    floor = Bench()
    floor(0, CallStarted(call_id="old"))
    floor(10, CallStarted(call_id="new"))
    floor(9, snapshot(calls=()))
    assert set(calls(floor)) == {"new"}


@pytest.mark.parametrize("precision_ms", [0, 1000])
def test_within_the_clocks_precision_nothing_is_swept(precision_ms: int) -> None:
    """On a whole-second clock an event stamped 9 may have come after a snapshot stamped 10."""
    floor = Bench()
    floor(9, CallStarted(call_id="c"))
    one = events.make(
        snapshot(calls=()),
        id="s",
        source="/s",
        site=SITE,
        time=at(10),
        rawpartition=0,
        rawoffset=99,
        precisionms=precision_ms,
    )
    floor.engine.apply(one)
    assert set(calls(floor)) == ({"c"} if precision_ms else set())


def test_a_call_heard_of_since_the_snapshot_was_taken_is_not_swept() -> None:
    floor = Bench()
    floor(0, CallStarted(call_id="c"))
    floor(12, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    floor(11, snapshot(calls=(), legs=()))
    assert set(calls(floor)) == {"c"}
    assert len(calls(floor)["c"].legs) == 1


def test_a_leg_that_the_switch_does_not_name_ends_and_its_call_goes_on() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), AgentLoggedOn(agent_id="2"))
    for who in ("1", "2"):
        floor(1, LegStarted(call_id="c", leg_id=who, agent_id=who), LegAnswered(call_id="c", leg_id=who))
    floor(60, snapshot(legs=("2",)))
    assert (floor.agent("1"), floor.agent("2")) == ("ready", "talk")
    assert floor.engine.anomalies(SITE) == {"ghost_leg": 1}


def test_a_queue_entry_that_the_switch_does_not_name_leaves_the_queue_as_cleared_never_as_abandoned() -> None:
    floor = Bench()
    floor(0, CallQueued(call_id="a", queue="sales"), CallQueued(call_id="b", queue="sales"))
    floor(0, CallQueued(call_id="c", queue="support"))
    floor(60, snapshot(queues={"sales": ("b",)}))
    queue = floor.engine.view("queue", SITE, "sales")
    assert isinstance(queue, QueueView)
    assert (queue.waiting, queue.abandoned, queue.other_ended) == (1, 0, 1)
    assert set(calls(floor)) == {"a", "b", "c"}
    assert floor.engine.anomalies(SITE) == {"ghost_queue_entry": 1}


def test_an_agent_whom_the_switch_has_logged_off_is_logged_off() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), AgentLoggedOn(agent_id="2", queues=("sales",)))
    floor(60, snapshot(agents=("2",)))
    assert (floor.agent("1"), floor.agent("2")) == ("offline", "ready")
    assert agent(floor, "1").provenance == "inferred"
    queue = floor.engine.view("queue", SITE, "sales")
    assert isinstance(queue, QueueView)
    assert queue.agents == {"ready": 1}
    assert floor.engine.anomalies(SITE) == {"ghost_agent": 1}


def test_an_agent_who_logged_on_at_the_moment_of_the_snapshot_stays() -> None:
    floor = Bench()
    floor(60, AgentLoggedOn(agent_id="1"), snapshot(agents=()))
    assert floor.agent("1") == "ready"


def test_an_agent_whom_the_switch_has_logged_on_without_our_knowing_is_unknown_until_more_is_said() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), AgentLoggedOff(agent_id="1"))
    floor(60, snapshot(agents=("1",)))
    assert (floor.agent("1"), agent(floor, "1").provenance) == ("unknown", "inferred")
    assert floor.engine.anomalies(SITE) == {"snapshot_agent_logged_on": 1}
    floor(70, AgentReady(agent_id="1"))
    assert floor.agent("1") == "ready"


def test_what_the_switch_names_and_nobody_told_of_is_counted_and_not_made_up() -> None:
    floor = Bench()
    floor(0, snapshot(agents=("9",), calls=("x", "y"), legs=("k",), queues={"sales": ("x",)}))
    shown = floor.engine.floor_view()
    assert (shown.agents, shown.calls, shown.queues) == ((), (), ())
    assert floor.engine.anomalies(SITE) == {
        "snapshot_unknown_call": 2,
        "snapshot_unknown_leg": 1,
        "snapshot_unknown_queue_entry": 1,
        "snapshot_unknown_agent": 1,
    }


def test_a_call_that_ended_while_the_snapshot_was_on_its_way_is_no_anomaly() -> None:
    floor = Bench()
    floor(0, CallStarted(call_id="c"))
    floor(10, CallCleared(call_id="c"))
    floor(9, snapshot(calls=("c",)))
    assert floor.engine.anomalies(SITE) == {}
    assert calls(floor) == {}


def test_a_snapshot_renews_the_leases_of_all_that_it_names() -> None:
    floor = Bench(RULES, Sites({SITE: SiteConfig(leases=Leases(declared_s=100, call_s=100))}))
    floor(0, AgentLoggedOn(agent_id="1"), AgentLoggedOn(agent_id="2"), CallStarted(call_id="c"))
    floor(90, snapshot(agents=("1", "2"), calls=("c",)))
    assert (agent(floor, "1").seen, agent(floor, "1").lease_until, calls(floor)["c"].seen) == (at(90), at(190), at(90))
    floor.mark(189)
    assert (floor.agent("1"), set(calls(floor))) == ("ready", {"c"})
    floor.mark(191)
    assert (floor.agent("1"), set(calls(floor))) == ("unknown", set())
    floor(200, snapshot(agents=("1",)))
    assert (floor.agent("1"), floor.agent("2")) == ("ready", "offline"), "and brings back whose lease had run out"


@pytest.mark.parametrize(
    "again",
    [
        LegStarted(call_id="c", leg_id="l", agent_id="1"),
        TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"),
    ],
)
def test_a_swept_call_that_the_switch_speaks_of_again_lives(again: Data) -> None:
    floor = Bench()
    floor(0, CallStarted(call_id="c"))
    floor(60, snapshot(calls=()))
    floor(61, again)
    assert set(calls(floor)) == {"c"}
