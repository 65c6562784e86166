"""How long a state is believed without evidence, and what brings it back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.monitor.core.views import AgentView
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    AgentSeen,
    CallQueued,
    CallStarted,
    Clock,
    LegAnswered,
    LegStarted,
    LinkDown,
    LinkUp,
    TransferRequested,
    WrapStarted,
)
from shared.facts import AgentInterval, CallEnded, TransferEnded
from shared.siteconfig import Leases, SiteConfig, Sites
from tests.floorkit import RULES, SITE, Bench, at, event

SHORT = Leases(ringing_s=30, line_s=300, wrap_s=120, declared_s=600, call_s=900)


def floor_with(leases: Leases = SHORT) -> Bench:
    return Bench(RULES, Sites({SITE: SiteConfig(leases=leases)}))


def card(floor: Bench, agent_id: str = "1") -> AgentView:
    view = floor.engine.view("agent", SITE, agent_id)
    assert isinstance(view, AgentView)
    return view


def test_an_agent_without_evidence_is_unknown_at_the_moment_when_the_lease_runs_out() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"))
    assert card(floor).lease_until == at(600)
    floor.mark(599)
    assert floor.agent("1") == "ready"
    floor.mark(700)
    shown = card(floor)
    assert (shown.state, shown.since, shown.provenance, shown.lease_until) == ("unknown", at(600), "timer", None)
    (interval,) = floor.made(AgentInterval)
    assert (interval.state, interval.ended_at) == ("ready", at(600))


def test_the_lease_runs_from_the_last_evidence() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor(500, AgentSeen(agent_id="1"))
    floor.mark(1099)
    assert floor.agent("1") == "ready"
    floor.mark(1101)
    assert card(floor).since == at(1100)


@pytest.mark.parametrize("evidence", [AgentSeen(agent_id="1"), AgentLoggedOn(agent_id="1")])
def test_the_next_evidence_brings_back_what_was_shown(evidence: AgentSeen | AgentLoggedOn) -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1", reason="tea"))
    floor.mark(700)
    floor(800, evidence)
    assert (card(floor).state, card(floor).reason, card(floor).provenance) == ("break", "tea", "observed")
    assert card(floor).lease_until == at(1400)
    floor.mark(1401)
    assert floor.agent("1") == "unknown", "the next lease runs, too"


def test_each_state_has_its_own_lease() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"), LegStarted(call_id="c", leg_id="l", agent_id="1"))
    assert card(floor).lease_until == at(30)
    floor(10, LegAnswered(call_id="c", leg_id="l"))
    assert card(floor).lease_until == at(310)
    floor.mark(31)
    assert floor.agent("1") == "talk"
    floor.mark(311)
    assert floor.agent("1") == "unknown"


def test_a_source_that_promised_to_speak_again_is_taken_at_its_word() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"), AgentSeen(agent_id="1", lease_s=120))
    floor(100, AgentSeen(agent_id="1", lease_s=120))
    floor.mark(219)
    assert floor.agent("1") == "ready"
    floor.mark(221)
    assert (card(floor).state, card(floor).since) == ("unknown", at(220))
    floor(230, AgentSeen(agent_id="1"))
    assert card(floor).lease_until == at(830), "without a promise only the lease of the state counts"


@pytest.mark.parametrize("promise", [0.0, -5.0, 1e300])
def test_a_promise_that_is_no_span_of_time_is_none(promise: float) -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"), AgentSeen(agent_id="1", lease_s=promise))
    assert card(floor).lease_until == at(600)


def test_leases_of_nothing_last_for_ever() -> None:
    floor = floor_with(Leases(ringing_s=0, line_s=0, wrap_s=0, declared_s=0, call_s=0))
    floor(0, AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"))
    floor.mark(400 * 86_400)
    assert floor.agent("1") == "ready"
    assert len(floor.engine.floor_view().calls) == 1
    assert card(floor).lease_until is None


def test_silence_brings_nobody_on_or_off() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"), AgentLoggedOff(agent_id="1"))
    floor.mark(5000)
    assert (floor.agent("1"), card(floor).lease_until) == ("offline", None)


def test_no_lease_runs_out_while_nobody_hears_the_switch() -> None:
    floor = floor_with()
    floor(0, LinkUp(connector="x"), AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"))
    floor(10, LinkDown(connector="x"))
    floor.mark(5000)
    assert (floor.agent("1"), card(floor).provenance, card(floor).lease_until) == ("ready", "stale", None)
    assert len(floor.engine.floor_view().calls) == 1
    floor(6000, LinkUp(connector="x"), AgentLoggedOn(agent_id="1"))
    floor.mark(6601)
    assert floor.agent("1") == "unknown", "after the gap leases run again"


def test_while_nobody_listened_silence_is_no_silence_of_agents_and_calls() -> None:
    floor = floor_with()
    floor(0, LinkUp(connector="x"), AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"))
    floor(500, LinkDown(connector="x"))
    floor.mark(3000)
    floor(3000, LinkUp(connector="x", resumed=True))
    assert (floor.agent("1"), card(floor).provenance, card(floor).lease_until) == ("ready", "inferred", at(3600))
    floor.mark(3601)
    assert (card(floor).state, card(floor).since) == ("unknown", at(3600))
    assert len(floor.engine.floor_view().calls) == 1
    floor.mark(3901)
    assert floor.engine.floor_view().calls == ()


def test_a_gap_that_nobody_announced_lets_no_lease_run_out_in_it() -> None:
    floor = floor_with()
    floor(0, LinkUp(connector="x"), AgentLoggedOn(agent_id="1"))
    floor(5000, LinkUp(connector="x"))
    assert [(one.state, one.ended_at) for one in floor.made(AgentInterval)] == [("ready", at(5000))]


def test_a_call_without_any_event_is_swept_with_all_that_runs_in_it() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"), CallQueued(call_id="q", queue="sales"))
    floor(5, LegStarted(call_id="c", leg_id="l", agent_id="1"), LegAnswered(call_id="c", leg_id="l"))
    floor(8, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    floor.mark(899)
    assert len(floor.engine.floor_view().calls) == 2
    floor.mark(1000)
    assert floor.engine.floor_view().calls == ()
    assert floor.engine.anomalies(SITE)["call_lapsed"] == 2
    (transfer,) = floor.made(TransferEnded)
    assert (transfer.outcome, transfer.ended_at) == ("failed", at(908)), (
        "the newest word of a transfer is one of its call"
    )
    (waited,) = [one for one in floor.made(CallEnded) if one.queue == "sales"]
    assert (waited.outcome, waited.ended_at) == ("cleared", at(900))
    evidence = floor.engine.anomaly_log(SITE)[0]
    assert (evidence.event_type, evidence.time, evidence.subject_id) == ("", at(900), "q")


def test_any_event_of_a_call_renews_its_lease() -> None:
    floor = floor_with()
    floor(0, CallStarted(call_id="a"), CallStarted(call_id="b"))
    floor(800, CallQueued(call_id="a", queue="sales"))
    floor.mark(1000)
    assert [call.call_id for call in floor.engine.floor_view().calls] == ["a"]
    floor.mark(1701)
    assert floor.engine.floor_view().calls == ()


def test_a_swept_call_that_the_switch_speaks_of_again_lives() -> None:
    floor = floor_with()
    floor(0, CallStarted(call_id="c"))
    floor.mark(1000)
    floor(1001, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    assert [call.call_id for call in floor.engine.floor_view().calls] == ["c"]


def test_an_agent_has_one_timer_however_often_it_is_heard_of() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"))
    for second in range(1, 500):
        floor(second, AgentSeen(agent_id="1", lease_s=120))
    timers = [timer for timer in floor.engine._floors[SITE].state.timers if timer.what == "lease"]
    assert len(timers) <= 3, "one that counts, and those of longer leases that were overtaken"


def test_a_shorter_lease_overtakes_the_timer_of_a_longer_one() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor(400, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    floor.mark(431)
    assert (card(floor).state, card(floor).since) == ("unknown", at(430))


def test_late_evidence_counts_from_its_own_time() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor.mark(650)
    floor(590, AgentSeen(agent_id="1"))
    assert (floor.agent("1"), card(floor).lease_until) == ("ready", at(1190))
    assert sum(one.duration_s for one in floor.made(AgentInterval)) == 600.0


def test_two_runs_of_the_same_log_lapse_alike() -> None:
    one, other = floor_with(), floor_with()
    for floor in (one, other):
        floor(0, AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"))
    one.mark(2000)
    for second in range(100, 2001, 100):
        other.engine.apply(event(second, Clock()))
    assert card(one) == card(other)
    assert one.made(AgentInterval)[0].ended_at - at(0) == timedelta(seconds=600)


def test_a_wrap_that_is_told_when_it_is_over_is_evidence_too() -> None:
    floor = floor_with()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor.mark(700)
    floor(710, WrapStarted(agent_id="1", until=at(705)))
    assert floor.agent("1") == "ready"
