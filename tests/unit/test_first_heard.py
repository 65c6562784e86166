"""What was under way when a site was first heard, told with the times at which it began: known, and counted from then on."""

from __future__ import annotations

from shared.events import AgentLoggedOn, CallDequeued, CallQueued, LegCleared, LegStarted, LinkUp
from shared.facts import QueueInterval
from tests.floorkit import Bench, at


def opened_late() -> Bench:
    """Heard since 09:20:05, of a floor that works since long before; the calls are told with the times at which they began."""
    bench = Bench()
    bench(1205, LinkUp(connector="x"))
    bench(300, AgentLoggedOn(agent_id="1", queues=("sales",)))
    bench(1000, CallQueued(call_id="over", queue="sales"))
    bench(1100, LegStarted(call_id="over", leg_id="l", agent_id="1", state="talking", queue="sales"))
    bench(1100, CallDequeued(call_id="over", queue="sales", reason="answered", agent_id="1"))
    bench(1190, LegCleared(call_id="over", leg_id="l", cause="transferred"))
    bench(1195, CallQueued(call_id="waits", queue="sales"))
    return bench


def test_a_site_counts_from_when_it_is_heard_and_no_earlier() -> None:
    bench = opened_late()
    (sales,) = bench.engine.floor_view().queues
    assert (sales.since, sales.recent.since if sales.recent else None) == (at(1205), at(1205))
    assert (sales.offered, sales.answered, sales.handled, sales.waiting) == (1, 0, 0, 1)
    assert sales.longest_since == at(1195), "who waits has waited since before"
    (agent,) = bench.engine.floor_view().agents
    assert agent.since == at(1190)
    assert agent.today is not None
    assert (agent.today.since, agent.today.handled) == (at(1205), 0)


def test_a_call_that_waited_when_the_site_was_first_heard_is_offered_and_answered() -> None:
    bench = opened_late()
    bench(1210, LegStarted(call_id="waits", leg_id="m", agent_id="1", state="talking", queue="sales"))
    bench(1210, CallDequeued(call_id="waits", queue="sales", reason="answered", agent_id="1"))
    bench(1270, LegCleared(call_id="waits", leg_id="m"))
    bench.mark(1900)
    (interval,) = bench.made(QueueInterval)
    assert (interval.started_at, interval.counted_from, interval.ended_at) == (at(900), at(1205), at(1800))
    assert (interval.offered, interval.answered, interval.wait_answered_s) == (1, 1, 15.0)
    assert (interval.handled, interval.talk_s, interval.handling_s) == (1, 60.0, 60.0)
    assert interval.ready_s == 5 + 530
