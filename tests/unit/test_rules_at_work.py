"""Rules in the engine: when a condition begins, how long a flag stays, what is asked when time goes on."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from services.monitor.core.rules.rulebook import Rule, RuleBook, RuleError, Summary, Where
from shared import events
from shared.events import (
    AgentLoggedOn,
    AgentNotReady,
    AgentReady,
    CallCleared,
    CallDequeued,
    CallQueued,
    CallStarted,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegRetrieved,
    LegStarted,
    LinkDown,
    LinkUp,
    ListenEnded,
    ListenStarted,
    TransferBridged,
    TransferEnded,
    TransferRequested,
    WrapEnded,
    WrapStarted,
)
from shared.facts import FlagCleared, FlagRaised, Subject
from shared.siteconfig import AgentConfig, QueueConfig, SiteConfig, Sites
from tests.floorkit import SITE, Bench, at, event

CONFIG = Sites(
    {
        SITE: SiteConfig(
            label="Head Office",
            queues={"sales": QueueConfig(label="Sales 销售")},
            agents={"1": AgentConfig(tags=("new_agent",), team="Blue"), "2": AgentConfig(team="Red")},
        )
    }
)


def book(
    when: str,
    subject: Subject = "agent",
    hold: float = 0,
    keep: float = 0,
    where: Where | None = None,
    says: str = "{for}",
    name: str = "r",
) -> RuleBook:
    return RuleBook(
        (
            Rule(
                name=name,
                subject=subject,
                when=when,
                hold=timedelta(seconds=hold),
                keep=timedelta(seconds=keep),
                severity="warning",
                where=where or Where(),
                summary=Summary(en=says, zh=says),
            ),
        )
    )


def flags(floor: Bench) -> list[tuple[str, float, float | None]]:
    """(subject, raised, cleared) in seconds from the start, in the order in which they were raised."""
    cleared = {flag.flag_id: (flag.cleared_at - at(0)).total_seconds() for flag in floor.made(FlagCleared)}
    return [
        (flag.subject_id, (flag.raised_at - at(0)).total_seconds(), cleared.get(flag.flag_id))
        for flag in floor.made(FlagRaised)
    ]


def on_a_call(floor: Bench, second: float, agent_id: str = "1", call_id: str = "c", direction: str = "inbound") -> None:
    leg = f"{call_id}-{agent_id}"
    floor(
        second,
        AgentLoggedOn(agent_id=agent_id),
        CallStarted(call_id=call_id, direction=direction),  # type: ignore[arg-type]
        LegStarted(call_id=call_id, leg_id=leg, agent_id=agent_id),
        LegAnswered(call_id=call_id, leg_id=leg),
    )


# ---------------------------------------------------------------- when a condition begins


def test_a_condition_runs_on_while_the_state_changes_within_it() -> None:
    floor = Bench(book('state in ["hold", "consult"]', hold=60), CONFIG)
    on_a_call(floor, 0)
    floor(10, LegHeld(call_id="c", leg_id="c-1"))
    floor(40, LegStarted(call_id="k", leg_id="k-1", agent_id="1", role="consult", state="dialing"))
    floor(90, LegCleared(call_id="k", leg_id="k-1"), LegRetrieved(call_id="c", leg_id="c-1"))
    assert flags(floor) == [("1", 70.0, 90.0)]


def test_the_same_state_with_another_call_begins_anew() -> None:
    floor = Bench(book('state == "wrap"', hold=45), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), WrapStarted(agent_id="1", call_id="a"))
    floor(30, WrapStarted(agent_id="1", call_id="b"))
    floor(80, WrapEnded(agent_id="1"))
    assert flags(floor) == [("1", 75.0, 80.0)]


def test_a_condition_of_more_than_the_state_begins_when_all_of_it_holds() -> None:
    when = 'state == "talk" and direction == "outbound" and not listened'
    floor = Bench(book(when, hold=30), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"))
    floor(0, LegStarted(call_id="c", leg_id="c-1", agent_id="1"), LegAnswered(call_id="c", leg_id="c-1"))
    floor(10, CallStarted(call_id="c", direction="outbound"))  # only now it is said
    floor(20, ListenStarted(listen_id="l", agent_id="1"))
    floor(50, ListenEnded(listen_id="l"))
    floor(90, ListenStarted(listen_id="l2", agent_id="1"))
    assert flags(floor) == [("1", 80.0, 90.0)]


def test_what_is_told_late_takes_effect_where_the_shown_state_begins() -> None:
    floor = Bench(book('state == "talk" and not listened', hold=10), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), ListenStarted(listen_id="l", agent_id="1"))
    on_a_call(floor, 60)
    floor(61, LegHeld(call_id="c", leg_id="c-1"), LegRetrieved(call_id="c", leg_id="c-1"))
    floor(50, ListenEnded(listen_id="l"))
    floor.mark(100)
    (flag,) = floor.made(FlagRaised)
    assert flag.started_at >= at(60)


def test_what_late_events_take_back_and_bring_again_is_another_flag() -> None:
    floor = Bench(book('state == "talk" and not listened', hold=5), CONFIG)
    on_a_call(floor, 10)
    floor.mark(20)
    floor(8, ListenStarted(listen_id="l", agent_id="1"))
    floor(9, ListenEnded(listen_id="l"))
    floor.mark(30)
    first, second = floor.made(FlagRaised)
    assert (first.started_at, second.started_at - first.started_at) == (at(10), timedelta(microseconds=1))
    assert first.flag_id != second.flag_id
    assert [flag.flag_id for flag in floor.made(FlagCleared)] == [first.flag_id]


def test_a_transfer_that_failed_is_flagged_when_it_did() -> None:
    floor = Bench(book('state == "failed"', "transfer", says="{agent_name} {kind} {reason} {target}"), CONFIG)
    on_a_call(floor, 0)
    floor(5, TransferRequested(transfer_id="t", call_id="c", kind="queue", from_agent="1", to_queue="sales"))
    floor(17, TransferEnded(transfer_id="t", outcome="failed", reason="busy"))
    floor.mark(400)
    assert flags(floor) == [("t", 17.0, 317.0)]
    (flag,) = floor.made(FlagRaised)
    assert flag.summary_en == "1 queue busy Sales 销售", "a queue is called by its label"


def test_over_a_coarse_clock_a_flag_waits_until_it_is_certain() -> None:
    floor = Bench(book('state == "running"', "transfer", hold=7), CONFIG)
    for second, transfer, precision_ms in ((0, "fine", 0), (0, "coarse", 1000)):
        request = TransferRequested(transfer_id=transfer, call_id=transfer, kind="blind", from_agent="1")
        made = msgspec.structs.replace(event(second, request, floor._offset), precisionms=precision_ms)
        floor._offset += 1
        floor.facts += floor.engine.apply(made)
    floor(7.5, TransferBridged(transfer_id="fine"))
    floor.mark(9)
    assert [(flag.subject_id, flag.raised_at, flag.precision_ms) for flag in floor.made(FlagRaised)] == [
        ("fine", at(7), 0),
        ("coarse", at(8), 1000),
    ]
    (shown,) = floor.engine.floor_view().flags
    assert shown.precision_ms == 1000


def test_a_coarse_total_just_over_the_limit_raises_nothing() -> None:
    floor = Bench(book('state == "running"', "transfer", hold=7), CONFIG)
    request = TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1")
    floor.engine.apply(msgspec.structs.replace(event(0, request, 0), precisionms=1000))
    floor._offset = 1
    floor(8, TransferBridged(transfer_id="t"))
    floor.mark(60)
    assert flags(floor) == []


# ---------------------------------------------------------------- how long a flag stays


def test_a_flag_is_kept_until_its_condition_has_been_over_for_as_long() -> None:
    floor = Bench(book('state == "break"', hold=10, keep=30), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor(20, AgentReady(agent_id="1"))
    floor(40, AgentNotReady(agent_id="1"))  # back before it was cleared: the same flag
    floor(60, AgentReady(agent_id="1"))
    floor.mark(100)
    assert flags(floor) == [("1", 10.0, 90.0)]
    (cleared,) = floor.made(FlagCleared)
    assert cleared.duration_s == 90.0
    floor(101, AgentNotReady(agent_id="1"))
    floor.mark(120)
    assert flags(floor)[1:] == [("1", 111.0, None)]


def test_a_kept_flag_goes_on_with_the_next_call() -> None:
    floor = Bench(book('state == "talk"', hold=10, keep=30), CONFIG)
    on_a_call(floor, 0, call_id="a")
    floor(20, LegCleared(call_id="a", leg_id="a-1"))
    on_a_call(floor, 30, call_id="b")
    floor(40, LegCleared(call_id="b", leg_id="b-1"))
    floor.mark(100)
    assert flags(floor) == [("1", 10.0, 70.0)]


def test_a_condition_that_ends_before_its_flag_is_not_kept() -> None:
    floor = Bench(book('state == "break"', hold=10, keep=30), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor(5, AgentReady(agent_id="1"))
    floor(6, AgentNotReady(agent_id="1"))
    floor(15.5, AgentReady(agent_id="1"))
    floor.mark(100)
    assert flags(floor) == []


def test_keeping_outlives_a_checkpoint() -> None:
    rules = book('state == "break"', hold=10, keep=30)
    floor, after = Bench(rules, CONFIG), Bench(rules, CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor(20, AgentReady(agent_id="1"))
    after.engine.load(floor.engine.dump())
    after._offset = floor._offset
    after.mark(60)
    floor.mark(60)
    assert after.engine.dump() == floor.engine.dump()
    assert [flag.cleared_at for flag in after.made(FlagCleared)] == [at(50)]


def test_the_flag_of_a_call_goes_with_the_call() -> None:
    floor = Bench(book('state == "queued"', "call", hold=10, keep=30), CONFIG)
    floor(0, CallQueued(call_id="c", queue="sales"))
    floor(20, CallCleared(call_id="c", cleared_by="customer"))
    assert flags(floor) == [("c", 10.0, 20.0)]


# ---------------------------------------------------------------- whom a rule concerns


@pytest.mark.parametrize(
    ("where", "subjects"),
    [
        (Where(), ["1", "2", "3"]),
        (Where(tags=("new_agent",)), ["1"]),
        (Where(teams=("Red", "Blue")), ["1", "2"]),
        (Where(agents=("3",)), ["3"]),
        (Where(sites=("elsewhere",)), []),
        (Where(sites=(SITE,), teams=("Red",)), ["2"]),
        (Where(direction="outbound"), ["3"]),
        (Where(queues=("sales",)), ["2"]),
    ],
)
def test_where_limits_a_rule(where: Where, subjects: list[str]) -> None:
    floor = Bench(book('state in ["talk", "break"]', hold=5, where=where), CONFIG)
    floor(0, AgentLoggedOn(agent_id="2", queues=("sales",)), AgentNotReady(agent_id="2"))
    on_a_call(floor, 0, "1")
    on_a_call(floor, 0, "3", "o", "outbound")
    floor.mark(10)
    assert sorted(flag[0] for flag in flags(floor)) == subjects


def test_attributes_of_a_call_can_be_asked_for() -> None:
    floor = Bench(book('state == "queued" and attr_priority_level == "2"', "call", hold=5), CONFIG)
    for call_id, level in (("a", "2"), ("b", "1"), ("c", "")):
        attributes = {"priority-level": level} if level else {}
        floor(0, CallStarted(call_id=call_id, attributes=attributes), CallQueued(call_id=call_id, queue="sales"))
    floor.mark(10)
    assert [flag[0] for flag in flags(floor)] == ["a"]
    shown = {call.call_id: call.attributes for call in floor.engine.floor_view().calls}
    assert shown == {"a": {"priority-level": "2"}, "b": {"priority-level": "1"}, "c": {}}


@pytest.mark.parametrize(
    ("subject", "where", "key"),
    [
        ("call", Where(tags=("x",)), "tags"),
        ("queue", Where(teams=("x",)), "teams"),
        ("site", Where(queues=("x",)), "queues"),
    ],
)
def test_a_rule_cannot_be_limited_by_what_its_subject_has_not(subject: Subject, where: Where, key: str) -> None:
    with pytest.raises(RuleError):
        book("agents > 0" if subject == "call" else "waiting > 0", subject, where=where)


# ---------------------------------------------------------------- queues and the site


def test_the_longest_wait_is_watched_while_a_call_waits() -> None:
    says = "{queue}: {longest_wait_s}, {waiting} waiting"
    floor = Bench(book("longest_wait_s > 60", "queue", says=says), CONFIG)
    floor(0.3, CallQueued(call_id="a", queue="sales"))
    floor(30, CallQueued(call_id="b", queue="sales"))
    floor(70.2, CallDequeued(call_id="a", queue="sales", reason="abandoned"))
    floor.mark(100)
    assert flags(floor) == [("sales", 61.0, 71.0), ("sales", 91.0, None)]
    assert floor.made(FlagRaised)[0].summary_en == "Sales 销售: 61 s, 2 waiting"


def test_a_queue_is_asked_at_the_second_after_it_changed() -> None:
    floor = Bench(book("waiting >= 1 and ready == 0", "queue", hold=10), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)), AgentNotReady(agent_id="1"))
    floor(5.4, CallQueued(call_id="a", queue="sales"))
    floor(30.7, AgentReady(agent_id="1"))
    floor.mark(60)
    assert flags(floor) == [("sales", 16.0, 31.0)]


def test_what_ended_since_the_last_look_raises_nothing() -> None:
    floor = Bench(book("waiting >= 1", "queue", hold=10), CONFIG)
    floor(5, CallQueued(call_id="a", queue="sales"))
    floor(14.5, CallDequeued(call_id="a", queue="sales", reason="abandoned"))
    floor.mark(60)
    assert flags(floor) == []


def test_figures_of_the_last_15_minutes_come_and_go() -> None:
    says = "{recent_abandonment_rate} of {recent_offered}"
    floor = Bench(book("recent_offered >= 4 and recent_abandonment_rate > 0.5", "queue", says=says), CONFIG)
    for n in range(4):
        floor(10 + n, CallQueued(call_id=f"c{n}", queue="sales"))
        floor(20 + n, CallDequeued(call_id=f"c{n}", queue="sales", reason="abandoned"))
    floor.mark(3600)
    ((subject, raised, cleared),) = flags(floor)
    assert (subject, raised) == ("sales", 30.0)
    assert cleared is not None
    assert 14 * 60 <= cleared <= 16 * 60 + 30, "when they are no longer of the last 15 minutes"
    assert floor.made(FlagRaised)[0].summary_en == "100% of 4"


def test_nothing_is_asked_of_a_floor_on_which_nothing_happens() -> None:
    floor = Bench(book("waiting >= 1", "queue"), CONFIG)
    floor(0, CallQueued(call_id="a", queue="sales"), CallCleared(call_id="a"))
    floor.mark(10)
    due = [timer for timer in floor.engine._floors[SITE].state.timers if timer.what == "pulse"]
    assert due == []


def test_a_lost_link_is_told_at_once_and_cleared_when_it_is_back() -> None:
    floor = Bench(book('link == "down"', "site", says="{site}"), CONFIG)
    floor(0, LinkUp(connector="x"), AgentLoggedOn(agent_id="1"))
    made = floor(60, LinkDown(connector="x", reason="gone"))
    assert [type(fact.data) for fact in made if isinstance(fact.data, FlagRaised)], "no time passes that could raise it"
    floor(90, LinkUp(connector="x"))
    assert flags(floor) == [(SITE, 60.0, 90.0)]
    assert floor.made(FlagRaised)[0].summary_en == "Head Office"


def test_a_flag_raised_while_rules_are_asked_leaves_nobody_to_be_asked_at_the_next_event() -> None:
    floor = Bench(book('link == "down"', "site", says="{site}"), CONFIG)
    floor(0, LinkUp(connector="x"), AgentLoggedOn(agent_id="1"))
    floor.engine.changes()
    floor(60, LinkDown(connector="x", reason="gone"))
    assert floor.engine._floors[SITE].touched == {}
    (flag,) = floor.made(FlagRaised)
    assert {("flag", SITE, flag.flag_id), ("site", SITE, SITE)} <= set(floor.engine.changes()), "the board hears of it"
    floor.engine.use_rules(book('link != "up"', "site"))
    assert len(floor.engine._floors[SITE].state.flags) == 1
    assert floor.engine._floors[SITE].touched == {}


def test_totals_of_the_site_are_asked_every_second() -> None:
    floor = Bench(book("staffed >= 2 and ready == 0 and calls >= 0", "site", hold=5), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), AgentLoggedOn(agent_id="2"))
    floor(10.5, AgentNotReady(agent_id="1"), AgentNotReady(agent_id="2"))
    floor(20.5, AgentReady(agent_id="1"))
    floor.mark(30)
    assert flags(floor) == [(SITE, 16.0, 21.0)]


def test_no_queue_is_asked_for_time_in_which_nobody_listened() -> None:
    floor = Bench(book("longest_wait_s > 60", "queue"), CONFIG)
    floor(0, LinkUp(connector="x"), CallQueued(call_id="a", queue="sales"))
    floor.mark(30)
    floor(500, LinkUp(connector="x"))
    floor.mark(600)
    assert flags(floor) == []


# ---------------------------------------------------------------- other rules while it runs


def test_rules_that_change_while_it_runs_take_their_flags_along() -> None:
    floor = Bench(book('state == "break"', hold=10), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor.mark(20)
    before = floor.engine.dump()
    assert floor.engine.use_rules(book('state == "break"', hold=10)) == []
    assert floor.engine.dump() == before, "the same rules change nothing"
    made = floor.engine.use_rules(book('state == "break"', hold=15, name="other"))
    assert [type(fact.data) for fact in made] == [FlagCleared]
    assert {(fact.rawpartition, fact.rawoffset) for fact in made} == {(-1, -1)}, "no consumer may drop it as passed"
    floor.mark(21)
    assert [(flag.rule, flag.raised_at) for flag in floor.made(FlagRaised)] == [("r", at(10)), ("other", at(15))]


def test_a_new_rule_counts_from_now_what_it_cannot_know() -> None:
    floor = Bench(RuleBook(), CONFIG)
    on_a_call(floor, 0)
    floor.mark(100)
    floor.engine.use_rules(book('state == "talk" and not listened', hold=10))
    floor.mark(200)
    assert flags(floor) == [("1", 110.0, None)]


def test_a_raised_flag_outlives_a_change_of_its_summary() -> None:
    floor = Bench(book('state == "break"', hold=10, says="old"), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor.mark(20)
    assert floor.engine.use_rules(book('state == "break"', hold=10, says="new")) == []
    floor(30, AgentLoggedOn(agent_id="2"), AgentNotReady(agent_id="2"))
    floor.mark(50)
    assert [flag.summary_en for flag in floor.made(FlagRaised)] == ["old", "new"]


def test_two_replicas_that_reload_at_different_places_agree_in_the_end() -> None:
    first, second = Bench(book('state == "break"', hold=10), CONFIG), Bench(book('state == "break"', hold=10), CONFIG)
    new = book('state == "break"', hold=30)
    stream = [
        (0, AgentLoggedOn(agent_id="1")),
        (1, AgentNotReady(agent_id="1")),
        (20, AgentLoggedOn(agent_id="2")),
        (25, AgentNotReady(agent_id="2")),
        (90, AgentReady(agent_id="1")),
        (95, AgentReady(agent_id="2")),
    ]
    for position, (second_, data) in enumerate(stream):
        for floor, reloads in ((first, 2), (second, 3)):
            if position == reloads:
                floor.facts += floor.engine.use_rules(new)
            floor(second_, data)
    assert {flag.flag_id for flag in first.made(FlagRaised)} == {flag.flag_id for flag in second.made(FlagRaised)}
    assert first.engine.floor_view().flags == second.engine.floor_view().flags == ()


def test_what_was_told_of_a_transfer_is_forgotten_with_it() -> None:
    floor = Bench(book('state == "running"', "transfer", hold=7), CONFIG)
    for n in range(20):
        begin = n * 1000
        floor(begin, TransferRequested(transfer_id=f"t{n}", call_id="c", kind="blind", from_agent="1"))
        floor(begin + 10, TransferBridged(transfer_id=f"t{n}"))
    floor.mark(30_000)
    state = floor.engine._floors[SITE].state
    assert len(floor.made(FlagRaised)) == 20
    assert not any(state.told.values())
    assert not any(state.watches.values())
    assert not any(floor.engine._floors[SITE].watched.values())


def test_every_event_with_the_same_content_has_one_id() -> None:
    floor = Bench(book('state == "break"', hold=10), CONFIG)
    floor(0, AgentLoggedOn(agent_id="1"), AgentNotReady(agent_id="1"))
    floor.mark(20)
    (flag,) = floor.made(FlagRaised)
    assert flag.flag_id == f"{SITE}:r:1:{round(at(0).timestamp() * 1_000_000)}"
    assert isinstance(flag, FlagRaised)
    assert events.DATA_TYPES
