"""A queue's figures per interval and day, and when they are published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.monitor.core.counting.queueviews import QueueDayView
from services.monitor.core.engine import Engine
from services.monitor.core.views import QueueView
from shared.envelope import Data
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    AgentSeen,
    CallCleared,
    CallDequeued,
    CallQueued,
    Clock,
    ClockJumped,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegRetrieved,
    LegStarted,
    ListenEnded,
    ListenStarted,
    TransferBridged,
    TransferRequested,
    WrapEnded,
    WrapStarted,
)
from shared.facts import Fact, QueueInterval
from shared.siteconfig import QueueConfig, ServiceLevelTarget, SiteConfig, Sites
from tests.floorkit import CONFIG, RULES, SITE, START, Bench, at, event

QUARTER = 900  # the floor opens at 09:00 UTC, on a boundary


def in_zone(name: str) -> Sites:
    return Sites({SITE: SiteConfig(time_zone=name)})


def queued(call: str, queue: str = "sales") -> CallQueued:
    return CallQueued(call_id=call, queue=queue)


def abandoned(call: str, queue: str = "sales") -> CallDequeued:
    return CallDequeued(call_id=call, queue=queue, reason="abandoned")


def taken(call: str, agent: str, queue: str = "sales") -> tuple[Data, ...]:
    leg = f"{call}-{agent}"
    return (
        LegStarted(call_id=call, leg_id=leg, agent_id=agent, queue=queue),
        CallDequeued(call_id=call, queue=queue, reason="answered", agent_id=agent),
        LegAnswered(call_id=call, leg_id=leg),
    )


def over(call: str, agent: str) -> tuple[Data, ...]:
    return LegCleared(call_id=call, leg_id=f"{call}-{agent}"), CallCleared(call_id=call, cleared_by="customer")


def view(floor: Bench, queue: str = "sales") -> QueueView:
    found = floor.engine.view("queue", SITE, queue)
    assert isinstance(found, QueueView)
    return found


def day(engine: Engine, queue: str = "sales") -> QueueDayView:
    found = engine.queue_day(SITE, queue)
    assert found is not None
    return found


# ---------------------------------------------------------------- boundaries


def test_an_interval_is_published_once_it_is_over_and_stamped_with_its_end() -> None:
    floor = Bench()
    floor(10, queued("a"))
    floor(30, abandoned("a"))
    floor.mark(QUARTER)
    assert floor.made(QueueInterval) == []  # an event of this very moment may still come, and belongs to the next
    floor.mark(QUARTER + 0.05)
    (one,) = floor.made(QueueInterval)
    assert (one.queue, one.started_at, one.ended_at, one.counted_from) == ("sales", at(0), at(QUARTER), at(10))
    assert (one.offered, one.abandoned, one.answered) == (1, 1, 0)
    (fact,) = [fact for fact in floor.facts if isinstance(fact.data, QueueInterval)]
    assert fact.time == at(QUARTER)
    floor.mark(2 * QUARTER + 1)
    assert len(floor.made(QueueInterval)) == 1  # nothing happened in the second, and nobody was there


@pytest.mark.parametrize(("second", "interval"), [(899.999, 0), (900.0, 1), (900.001, 1)])
def test_the_boundary_belongs_to_the_interval_that_it_begins(second: float, interval: int) -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor(second, queued("a"))
    floor.mark(2 * QUARTER + 1)
    assert [one.offered for one in floor.made(QueueInterval)] == [int(interval == 0), int(interval == 1)]


def test_an_arrival_counts_where_it_arrived_and_everything_else_where_it_happened() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor(890, queued("a"), queued("b"))
    floor(905, *taken("a", "1"), abandoned("b"))
    floor(1850, *over("a", "1"))
    floor.mark(3 * QUARTER + 1)
    first, second, third = floor.made(QueueInterval)
    assert (first.offered, first.answered, first.abandoned, first.handled) == (2, 0, 0, 0)
    assert (second.offered, second.answered, second.abandoned, second.handled) == (0, 1, 1, 0)
    assert (second.wait_answered_s, second.wait_abandoned_s, second.longest_waited_s) == (15, 15, 15)
    assert (third.offered, third.answered, third.handled, third.talk_s) == (0, 0, 1, 945)
    assert [one.handling_s for one in (first, second, third)] == [0, 895, 50]  # but time is split at the boundary
    assert [one.ready_s for one in (first, second, third)] == [900, 5, 850]


def test_a_wrap_counts_for_its_queue_where_it_ends() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor(800, queued("a"))
    floor(805, *taken("a", "1"))
    floor(880, *over("a", "1"), WrapStarted(agent_id="1", call_id="a", queue="sales"))
    floor(910, WrapEnded(agent_id="1"))
    floor.mark(2 * QUARTER + 1)
    first, second = floor.made(QueueInterval)
    assert (first.handled, first.talk_s, first.wrap_s, first.handling_s) == (1, 75, 0, 95)
    assert (second.handled, second.wrap_s, second.handling_s) == (0, 30, 10)
    assert view(floor).aht_s == 75 + 30
    assert (view(floor).talk_s, view(floor).hold_s, view(floor).wrap_s) == (75, 0, 30)


@pytest.mark.parametrize(
    ("zone", "first_boundary"),
    [("Asia/Kathmandu", 900), ("Asia/Kolkata", 900), ("Australia/Eucla", 900), ("America/St_Johns", 900)],
)
def test_zones_with_odd_minutes_have_quarters_too(zone: str, first_boundary: int) -> None:
    floor = Bench(config=in_zone(zone))
    floor(1, queued("a"))
    floor.mark(first_boundary + 1)
    (one,) = floor.made(QueueInterval)
    assert one.ended_at == at(first_boundary)


@pytest.mark.parametrize(
    ("midnight", "hours"), [((2026, 3, 28, 23), 23), ((2026, 10, 24, 22), 25), ((2026, 11, 21, 23), 24)]
)
def test_a_day_of_23_or_25_hours_has_all_its_intervals(midnight: tuple[int, int, int, int], hours: int) -> None:
    began = datetime(*midnight, tzinfo=UTC)
    second = (began - START).total_seconds()
    floor = Bench(config=in_zone("Europe/Berlin"))
    floor(second, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor(second + 12 * 3600, AgentSeen(agent_id="1"))  # or its lease would run out in the long day
    floor.mark(second + hours * 3600)
    found = day(floor.engine)
    assert len(found.intervals) == hours * 4 - 1
    assert found.running.started_at == began + timedelta(hours=hours, minutes=-15)
    assert found.total.ready_s == hours * 3600
    floor.mark(second + hours * 3600 + 0.05)
    assert len(floor.made(QueueInterval)) == hours * 4
    assert day(floor.engine).intervals == ()
    assert day(floor.engine).day == (began + timedelta(hours=hours + 2)).date().isoformat()


# ---------------------------------------------------------------- whose time it is


def test_who_serves_two_queues_is_ready_for_both_and_counts_once_in_the_site() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales", "support")), AgentLoggedOn(agent_id="2", queues=("sales",)))
    floor(100, queued("a", "support"))
    floor(100, *taken("a", "1", "support"))
    floor(400, *over("a", "1"))
    floor.mark(QUARTER + 1)
    support, sales = sorted(floor.made(QueueInterval), key=lambda one: one.queue, reverse=True)
    assert (support.handling_s, support.ready_s) == (300, 600)
    assert (sales.handling_s, sales.ready_s) == (0, 600 + 900)
    total = floor.engine.site_figures(SITE)
    assert total is not None
    assert (total.staffed, total.agents) == (2, {"ready": 2})
    assert total.occupancy == pytest.approx(300 / (2 * 901))  # each second of an agent once
    assert view(floor, "support").occupancy == pytest.approx(1 / 3)


def test_handling_belongs_to_the_queue_of_the_call_whoever_takes_it() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor(10, queued("a", "support"))
    floor(20, *taken("a", "1", "support"))
    floor(50, *over("a", "1"))
    floor.mark(QUARTER + 1)
    made = {one.queue: one for one in floor.made(QueueInterval)}
    assert (made["support"].handling_s, made["support"].ready_s, made["support"].handled) == (30, 0, 1)
    assert (made["sales"].handling_s, made["sales"].ready_s) == (0, 870)


def test_a_consultation_is_for_the_queue_of_the_customer_who_holds() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), queued("a"))
    floor(10, *taken("a", "1"))
    floor(40, LegHeld(call_id="a", leg_id="a-1"))
    floor(40, LegStarted(call_id="b", leg_id="k", agent_id="1", role="consult", state="dialing"))
    floor(70, LegCleared(call_id="b", leg_id="k"), LegRetrieved(call_id="a", leg_id="a-1"))
    floor(100, *over("a", "1"))
    floor.mark(QUARTER + 1)
    (one,) = floor.made(QueueInterval)
    assert one.handling_s == 90
    assert (one.talk_s, one.hold_s) == (60, 30)  # the customer held while the agent consulted


def test_ringing_is_neither_handling_nor_ready() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), queued("a"))
    floor(100, LegStarted(call_id="a", leg_id="l", agent_id="1", queue="sales"))
    floor(130, LegCleared(call_id="a", leg_id="l", cause="no_answer"))
    floor.mark(QUARTER + 1)
    (one,) = floor.made(QueueInterval)
    assert (one.handling_s, one.ready_s) == (0, 870)


def test_listening_changes_no_figure() -> None:
    def run(*, listened: bool) -> list[QueueInterval]:
        floor = Bench()
        floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), queued("a"))
        floor(10, *taken("a", "1"))
        if listened:
            floor(20, ListenStarted(listen_id="x", agent_id="1", call_id="a", listener="inspector"))
            floor(25, ListenStarted(listen_id="y", agent_id="1"))
            floor(60, ListenEnded(listen_id="x"))
        floor(100, *over("a", "1"))
        if listened:
            floor(120, ListenEnded(listen_id="y"))
        floor.mark(QUARTER + 1)
        return floor.made(QueueInterval)

    assert run(listened=True) == run(listened=False)
    assert run(listened=False)[0].handled == 1


# ---------------------------------------------------------------- rates


def test_a_transfer_counts_once_per_conversation_when_it_ends() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), queued("a"), queued("b"))
    floor(10, *taken("a", "1"))
    for number, second in enumerate((20, 30)):  # the second attempt reaches somebody
        floor(second, TransferRequested(transfer_id=f"t{number}", call_id="a", kind="blind", from_agent="1"))
    assert view(floor).transfer_rate is None
    floor(35, TransferBridged(transfer_id="t1"), *over("a", "1"))
    assert view(floor).transfer_rate == 1
    floor(40, *taken("b", "1"))
    floor(50, *over("b", "1"))
    assert view(floor).transfer_rate == 0.5
    floor.mark(QUARTER + 1)
    assert [(one.handled, one.transfers) for one in floor.made(QueueInterval)] == [(2, 1)]


def test_every_service_level_of_an_interval_by_the_queues_own_thresholds() -> None:
    target = ServiceLevelTarget(formula="F1", within_s=30, short_abandon_s=10)
    floor = Bench(config=Sites({SITE: SiteConfig(queues={"sales": QueueConfig(service_level=target)})}))
    floor(0, *(queued(call) for call in "abcdef"))
    floor(10, abandoned("a"))  # short: exactly T_s counts
    floor(25, abandoned("b"))
    floor(30, *(CallDequeued(call_id=call, queue="sales", reason="answered") for call in "cd"))  # exactly T counts
    floor(31, CallDequeued(call_id="e", queue="sales", reason="answered"))
    floor(40, abandoned("f"))
    floor.mark(QUARTER + 1)
    (one,) = floor.made(QueueInterval)
    assert (one.answered, one.answered_within, one.abandoned, one.abandoned_within) == (3, 2, 3, 2)
    assert (one.short_abandoned, one.within_s, one.short_abandon_s) == (1, 30, 10)
    assert one.service_levels == {"F1": 4 / 6, "F2": 2 / 3, "F3": 2 / 6, "F3s": 2 / 5, "F4": 2 / 4, "F5": 3 / 6}
    assert view(floor).service_levels == one.service_levels
    assert view(floor).service_level.value == 4 / 6
    assert view(floor).abandonment_rate == 0.5


def test_what_does_not_exist_is_nothing_and_not_zero() -> None:
    floor = Bench()
    floor(0, queued("a"))
    floor.mark(QUARTER + 1)
    (one,) = floor.made(QueueInterval)
    assert (one.longest_waited_s, set(one.service_levels.values())) == (None, {None})
    shown = view(floor)
    for name in ("asa_s", "aht_s", "talk_s", "hold_s", "wrap_s", "occupancy", "abandonment_rate", "transfer_rate"):
        assert getattr(shown, name) is None, name


# ---------------------------------------------------------------- the last 15 minutes


def test_the_last_15_minutes_move_by_the_minute() -> None:
    floor = Bench()
    floor(30, queued("a"), queued("b"))
    floor(45, abandoned("a"), CallDequeued(call_id="b", queue="sales", reason="answered"))
    floor(600, queued("c"))
    recent = view(floor).recent
    assert recent is not None
    assert (recent.offered, recent.answered, recent.abandoned, recent.asa_s) == (3, 1, 1, 15)
    assert (recent.service_level, recent.abandonment_rate) == (0.5, 0.5)
    assert recent.since == at(30)  # nothing was heard before
    floor.mark(900)  # the running minute and 14 before it: since 00:00
    recent = view(floor).recent
    assert recent is not None
    assert (recent.since, recent.offered) == (at(30), 3)
    floor.mark(900.05)
    recent = view(floor).recent
    assert recent is not None
    assert (recent.since, recent.offered, recent.answered, recent.asa_s) == (at(60), 1, 0, None)
    assert (view(floor).offered, view(floor).answered) == (3, 1)  # the day still has them


def test_a_change_at_the_very_end_of_a_minute_costs_the_minute_nothing() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), queued("a"))
    floor(0, *taken("a", "2"))
    floor(60, AgentLoggedOn(agent_id="1", queues=("sales", "support")))
    floor(120, AgentLoggedOn(agent_id="1", queues=("support",)))
    floor.mark(180.05)
    recent = view(floor).recent
    assert recent is not None
    assert recent.occupancy == 180 / (180 + 120)
    assert day(floor.engine, "support").running.ready_s == pytest.approx(120.05)


@pytest.mark.parametrize("by_s", [3600, -3600, 50, -50])
def test_a_set_clock_leaves_the_last_15_minutes_as_they_are(by_s: float) -> None:
    floor = Bench()
    floor(7200, queued("a"), queued("b"))
    floor(7260, abandoned("a"))
    floor(7290 + by_s, ClockJumped(by_s=by_s))
    recent = view(floor).recent
    assert recent is not None
    assert (recent.offered, recent.abandoned) == (2, 1)
    floor.mark(7290 + by_s + 840)
    assert view(floor).recent != recent
    floor.mark(7290 + by_s + 1200)
    recent = view(floor).recent
    assert recent is not None  # somebody still waits
    assert (recent.offered, recent.abandoned, view(floor).offered) == (0, 0, 2)
    made = floor.made(QueueInterval)
    assert sum(one.offered for one in made) == 2
    assert made[0].ended_at == at(7290)


def test_an_empty_floor_has_no_last_15_minutes() -> None:
    floor = Bench()
    floor(0, queued("a"), abandoned("a"))
    floor.mark(3600)
    assert view(floor).recent is None
    floor(3601, queued("b"))
    recent = view(floor).recent
    assert recent is not None
    assert (recent.offered, recent.since) == (1, at(3600 - 14 * 60))


# ---------------------------------------------------------------- nothing is lost, nothing counted twice


def long_run() -> list[tuple[float, Data]]:
    """Two hours and a half with something in every interval, over midnight in Marquesas (09:30 UTC)."""
    found: list[tuple[float, Data]] = [(0, AgentLoggedOn(agent_id="1", queues=("sales", "support")))]
    for number in range(40):
        second, call = 5.0 + number * 220, f"c{number}"
        found.append((second, queued(call)))
        found += [(second + 7, one) for one in taken(call, "1")]
        found += [(second + 130.5, one) for one in over(call, "1")]
        found.append((second + 131, WrapStarted(agent_id="1", call_id=call, queue="sales", until=at(second + 160))))
    return found


def test_a_restart_in_mid_interval_changes_nothing() -> None:
    stream = [event(second, data, offset) for offset, (second, data) in enumerate(long_run())]
    config = in_zone("Pacific/Marquesas")

    def run(engine: Engine, part: slice) -> list[Fact]:
        return [fact for one in stream[part] for fact in engine.apply(one)]

    whole = Engine(config, RULES)
    expected = run(whole, slice(None))
    for cut in range(0, len(stream), 17):
        first, second = Engine(config, RULES), Engine(config, RULES)
        made = run(first, slice(cut))
        second.load(first.dump())
        assert made + run(second, slice(cut, None)) == expected
        assert second.dump() == whole.dump()
    assert sum(isinstance(fact.data, QueueInterval) for fact in expected) >= 9


def test_the_end_of_a_recording_publishes_the_running_interval() -> None:
    floor = Bench()
    floor(10, queued("a"))
    floor(20, abandoned("a"))
    (fact,) = floor.engine.finish()
    assert isinstance(fact.data, QueueInterval)
    assert (fact.data.started_at, fact.data.ended_at, fact.data.abandoned) == (at(0), at(20), 1)
    assert view(floor).abandoned == 1
    assert floor.engine.finish() == []


def test_another_threshold_after_a_restart_begins_a_new_day_of_figures() -> None:
    def engine(within_s: float) -> Engine:
        target = ServiceLevelTarget(within_s=within_s)
        return Engine(Sites({SITE: SiteConfig(queues={"sales": QueueConfig(service_level=target)})}), RULES)

    def answered(engine: Engine, second: float, call: str) -> list[Fact]:
        offset = int(second) * 10
        gone = CallDequeued(call_id=call, queue="sales", reason="answered")
        return engine.apply(event(second, queued(call), offset)) + engine.apply(event(second + 30, gone, offset + 1))

    old, same, new = engine(20), engine(20), engine(60)
    answered(old, 100, "a")
    same.load(old.dump())
    assert day(same).total.answered == 1
    new.load(old.dump())
    assert day(new).total.answered == 0
    assert (day(new).total.counted_from, day(new).service_level.within_s) == (at(130), 60)
    made = [fact.data for fact in answered(new, 200, "b") if isinstance(fact.data, QueueInterval)]
    assert [(one.ended_at, one.answered, one.answered_within, one.within_s) for one in made] == [(at(130), 1, 0, 20)]
    made = [fact.data for fact in new.apply(event(QUARTER + 1, Clock())) if isinstance(fact.data, QueueInterval)]
    assert [(one.counted_from, one.answered_within, one.within_s) for one in made] == [(at(130), 1, 60)]


def test_after_days_of_silence_counting_begins_anew() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor(40 * 86_400 + 100, queued("a"))
    assert len(floor.made(QueueInterval)) == 1  # of the minute after which nobody was heard
    assert view(floor).offered == 1
    assert view(floor).since == at(40 * 86_400 + 100)


def test_an_idle_floor_is_not_stepped_through() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), AgentNotReady(agent_id="1"))
    floor(1, AgentLoggedOff(agent_id="1"))
    floor.mark(1000)
    assert len(floor.made(QueueInterval)) == 1
    quiet = floor.engine._floors[SITE].state.generation
    for hour in range(1, 49):
        floor.mark(hour * 3600)
    assert floor.engine._floors[SITE].state.generation - quiet < 10  # timers set in two days
    floor(48 * 3600 + 5, queued("a"))
    floor.mark(48 * 3600 + QUARTER + 1)
    one = floor.made(QueueInterval)[-1]
    assert (one.started_at, one.counted_from, one.offered) == (at(48 * 3600), at(48 * 3600), 1)


def test_a_late_event_is_put_right_back_to_the_beginning_of_the_running_interval() -> None:
    floor = Bench(config=CONFIG)
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor.mark(1020)  # 09:17
    floor(1000, AgentNotReady(agent_id="1"))  # heard late, of 09:16:40
    floor.mark(2 * QUARTER + 1)
    assert [one.ready_s for one in floor.made(QueueInterval)] == [900, 100]
    late = Bench(config=CONFIG)
    late(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    late.mark(1020)
    late(800, AgentNotReady(agent_id="1"))  # of an interval that is published
    late.mark(2 * QUARTER + 1)
    assert [one.ready_s for one in late.made(QueueInterval)] == [900, 0]


def test_an_agent_was_not_ready_for_a_queue_before_serving_it_however_late_the_end_is_told() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallQueued(call_id="a", queue="sales"))
    floor(30, AgentLoggedOn(agent_id="1", queues=("sales",)))
    floor(20, LegStarted(call_id="a", leg_id="l", agent_id="1", queue="sales"))
    assert day(floor.engine, "sales").running.ready_s == 0, "rung up ten seconds before"
