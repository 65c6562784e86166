"""Queue figures and call records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.monitor.core.views import QueueView
from shared.events import (
    AgentLoggedOn,
    AgentNotReady,
    CallCleared,
    CallDequeued,
    CallQueued,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegRetrieved,
    LegStarted,
)
from shared.facts import CallEnded
from shared.servicelevels import Counts, service_level
from shared.siteconfig import SiteConfig, Sites
from tests.floorkit import SITE, START, Bench, at

WORKED = Counts(answered=1000, answered_within=860, abandoned=60, abandoned_within=20, abandoned_short=10)


@pytest.mark.parametrize(
    ("formula", "percent"), [("F1", 83.0), ("F2", 86.0), ("F3", 81.1), ("F3s", 81.9), ("F4", 82.7), ("F5", 82.1)]
)
def test_the_worked_example_of_each_service_level(formula: str, percent: float) -> None:
    value = service_level(formula, WORKED)
    assert value is not None
    assert round(value * 100, 1) == percent


def test_no_call_is_no_service_level() -> None:
    for formula in ("F1", "F2", "F3", "F3s", "F4", "F5"):
        assert service_level(formula, Counts(0, 0, 0, 0, 0)) is None


def queue(floor: Bench, name: str = "sales") -> QueueView:
    view = floor.engine.view("queue", SITE, name)
    assert isinstance(view, QueueView)
    return view


def test_a_queue_counts_what_entered_and_how_it_left() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), AgentLoggedOn(agent_id="2", queues=("sales", "support")))
    floor(1, AgentNotReady(agent_id="2", reason="tea"))
    floor(10, CallQueued(call_id="a", queue="sales"), CallQueued(call_id="b", queue="sales"))
    floor(12, CallQueued(call_id="c", queue="sales"))
    assert (queue(floor).waiting, queue(floor).longest_since) == (3, at(10))
    floor(14, CallDequeued(call_id="b", queue="sales", reason="abandoned"), CallCleared(call_id="b"))
    floor(20, CallDequeued(call_id="a", queue="sales", reason="answered", agent_id="1"))
    floor(40, CallDequeued(call_id="c", queue="sales", reason="timed_out"))
    view = queue(floor)
    assert (view.waiting, view.longest_since) == (0, None)
    assert (view.offered, view.answered, view.abandoned, view.short_abandoned, view.other_ended) == (3, 1, 1, 1, 1)
    assert (view.asa_s, view.longest_waited_s) == (10.0, 28.0)
    assert (view.service_level.formula, view.service_level.value) == ("F3s", 1.0)
    assert view.agents == {"break": 1, "ready": 1}
    assert queue(floor, "support").agents == {"break": 1}


def test_an_answered_call_is_recorded_when_the_conversation_ends() -> None:
    floor = Bench()
    floor(0, CallQueued(call_id="a", queue="sales", from_number="+4559778150"))
    floor(5, LegStarted(call_id="a", leg_id="l", agent_id="1", queue="sales"))
    floor(8, CallDequeued(call_id="a", queue="sales", reason="answered", agent_id="1"))
    floor(8, LegAnswered(call_id="a", leg_id="l"))
    floor(18, LegHeld(call_id="a", leg_id="l"))
    floor(22, LegRetrieved(call_id="a", leg_id="l"))
    assert floor.made(CallEnded) == []
    floor(30, LegCleared(call_id="a", leg_id="l"), CallCleared(call_id="a", cleared_by="agent"))
    (record,) = floor.made(CallEnded)
    assert (record.outcome, record.waited_s, record.talk_s, record.hold_s) == ("answered", 8.0, 18.0, 4.0)
    assert record.agent_id == "1"


def test_a_customer_who_hangs_up_while_waiting_abandoned() -> None:
    floor = Bench()
    floor(0, CallQueued(call_id="a", queue="sales"))
    floor(9, CallCleared(call_id="a", cleared_by="customer"))
    (record,) = floor.made(CallEnded)
    assert (record.outcome, record.waited_s, record.talk_s) == ("abandoned", 9.0, None)
    assert queue(floor).abandoned == 1


def test_figures_begin_anew_at_the_sites_midnight() -> None:
    floor = Bench(config=Sites({SITE: SiteConfig(time_zone="Asia/Shanghai")}))
    floor(0, CallQueued(call_id="a", queue="sales"))
    floor(1, CallCleared(call_id="a", cleared_by="customer"))
    midnight = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)  # in Shanghai
    seconds = (midnight - START).total_seconds()
    floor.mark(seconds)
    assert (queue(floor).day, queue(floor).offered) == ("2026-11-22", 1)
    floor.mark(seconds + 0.05)
    assert (queue(floor).day, queue(floor).offered, queue(floor).since) == ("2026-11-23", 0, midnight)


def test_leaving_a_queue_never_entered_is_an_anomaly_and_counts_nowhere() -> None:
    floor = Bench()
    floor(0, CallDequeued(call_id="a", queue="sales", reason="abandoned"))
    assert queue(floor).abandoned == 0
    assert floor.engine.anomalies(SITE) == {"left_queue_never_entered": 1}
