"""Calls that somebody answers of whom the switch gives no name, and agents on two calls at a time."""

from __future__ import annotations

from shared import events, facts
from shared.siteconfig import Leases, SiteConfig, Sites
from tests.floorkit import RULES, SITE, Bench, at

CALL, QUEUE = "c1", "sales"


def queued(bench: Bench, second: float, call: str = CALL) -> None:
    bench(second, events.CallStarted(call_id=call), events.CallQueued(call_id=call, queue=QUEUE))


def leg(call: str = CALL, agent: str = "") -> events.LegStarted:
    return events.LegStarted(call_id=call, leg_id=f"{call}/leg", agent_id=agent, state="talking", queue=QUEUE)


def answered(call: str = CALL, agent: str = "") -> events.CallDequeued:
    return events.CallDequeued(call_id=call, queue=QUEUE, reason="answered", agent_id=agent)


def hung_up(call: str = CALL) -> tuple[events.LegCleared, events.CallCleared]:
    return events.LegCleared(call_id=call, leg_id=f"{call}/leg"), events.CallCleared(call_id=call)


def test_a_conversation_with_nobody_named_has_its_talk_time_and_makes_no_agent() -> None:
    bench = Bench()
    queued(bench, 0)
    bench(30, leg())
    bench(32, answered())
    assert bench.made(facts.CallEnded) == []
    bench(90, *hung_up())
    [call] = bench.made(facts.CallEnded)
    assert (call.outcome, call.agent_id, call.waited_s, call.talk_s) == ("answered", "", 32.0, 60.0)
    assert call.talk_started_at == at(30)
    assert bench.engine.floor_view().agents == ()


def test_the_leg_may_come_after_the_answer() -> None:
    bench = Bench()
    queued(bench, 0)
    bench(30, answered())
    bench(40, leg())
    bench(50, *hung_up())
    [call] = bench.made(facts.CallEnded)
    assert (call.waited_s, call.talk_s, call.talk_started_at) == (30.0, 10.0, at(40))


def test_who_answered_is_the_agent_of_the_leg_where_only_the_leg_says_it() -> None:
    bench = Bench()
    queued(bench, 0)
    bench(30, leg(agent="ana"), answered())
    bench(50, *hung_up())
    [call] = bench.made(facts.CallEnded)
    assert (call.agent_id, call.talk_s) == ("ana", 20.0)


def test_an_answered_call_without_any_leg_is_recorded_when_it_is_over() -> None:
    bench = Bench()
    queued(bench, 0)
    bench(30, answered())
    bench(50, events.CallCleared(call_id=CALL))
    [call] = bench.made(facts.CallEnded)
    assert (call.outcome, call.waited_s, call.talk_s, call.talk_started_at) == ("answered", 30.0, None, None)


def test_a_line_that_was_over_before_the_queue_said_answered_keeps_its_own_time() -> None:
    bench = Bench()
    queued(bench, 0)
    bench(28, leg(agent="ana"))
    bench(30, answered(agent="ana"))
    bench(29, *hung_up())
    [call] = bench.made(facts.CallEnded)
    assert (call.waited_s, call.talk_s, call.talk_started_at, call.ended_at) == (30.0, 1.0, at(28), at(30))


def test_two_calls_of_one_agent_at_a_time_are_both_timed_in_full() -> None:
    bench = Bench()
    for call, second in (("c1", 0), ("c2", 5)):
        queued(bench, second, call)
    bench(10, leg("c1", "ana"), answered("c1", "ana"))
    bench(20, leg("c2", "ana"), answered("c2", "ana"))
    bench(40, *hung_up("c1"))
    assert bench.agent("ana") == "talk"
    bench(70, *hung_up("c2"))
    calls = {call.call_id: (call.agent_id, call.talk_s) for call in bench.made(facts.CallEnded)}
    assert calls == {"c1": ("ana", 30.0), "c2": ("ana", 50.0)}
    talked = sum(one.duration_s for one in bench.made(facts.AgentInterval) if one.state == "talk")
    assert talked == 60.0  # the agent's time is a partition of the clock, so it is not 80


def test_without_leases_a_conversation_of_many_hours_is_timed_in_full() -> None:
    config = Sites({SITE: SiteConfig(leases=Leases(ringing_s=0, line_s=0, wrap_s=0, declared_s=0, call_s=0))})
    bench = Bench(RULES, config)
    queued(bench, 0)
    bench(10, leg(agent="ana"), answered(agent="ana"))
    for hour in range(1, 20):
        bench.mark(hour * 3600)
    bench(20 * 3600, *hung_up())
    [call] = bench.made(facts.CallEnded)
    assert (call.outcome, call.talk_s) == ("answered", 20 * 3600 - 10.0)
