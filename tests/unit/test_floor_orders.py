"""What real switches do to an engine: other orders, overlaps, gaps, other rules after a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import Rule, RuleBook, Where
from services.monitor.core.views import QueueView
from services.monitor.rulefile import load_rulebook
from shared.errors import SettingsError
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    AgentReady,
    CallCleared,
    CallDequeued,
    CallQueued,
    CallStarted,
    Clock,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegMoved,
    LegStarted,
    LinkDown,
    LinkUp,
    TransferBridged,
    TransferRequested,
    WrapStarted,
)
from shared.facts import AgentInterval, CallEnded, FlagCleared, FlagRaised, TransferEnded
from shared.siteconfig import AgentConfig, SiteConfig, Sites
from tests.floorkit import RULES, SITE, START, Bench, at, event, rule


def queue(floor: Bench) -> QueueView:
    view = floor.engine.view("queue", SITE, "sales")
    assert isinstance(view, QueueView)
    return view


def talking(floor: Bench, second: float, agent_id: str, call_id: str = "c", leg_id: str = "") -> None:
    leg = leg_id or f"{call_id}-{agent_id}"
    floor(second, LegStarted(call_id=call_id, leg_id=leg, agent_id=agent_id), LegAnswered(call_id=call_id, leg_id=leg))


# ---------------------------------------------------------------- wrap


def test_of_overlapping_wraps_the_longer_counts() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), WrapStarted(agent_id="1", call_id="a", until=at(15)))
    floor(2, WrapStarted(agent_id="1", call_id="b", until=at(8)))
    floor.mark(10)
    assert floor.agent("1") == "wrap"
    floor(11, WrapStarted(agent_id="1", call_id="c", until=at(20)))
    floor.mark(16)
    assert floor.agent("1") == "wrap"
    floor.mark(20.1)
    assert floor.agent("1") == "ready"
    (interval,) = [one for one in floor.made(AgentInterval) if one.state == "wrap" and one.call_id == "c"]
    assert interval.ended_at == at(20)


def test_wrap_that_starts_before_its_leg_is_cleared_begins_with_the_clearing() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    talking(floor, 1, "1")
    floor(9, WrapStarted(agent_id="1", call_id="c", until=at(15)))
    assert floor.agent("1") == "talk"
    floor(9.5, LegCleared(call_id="c", leg_id="c-1"))
    assert floor.agent("1") == "wrap"
    floor.mark(15.1)
    assert floor.agent("1") == "ready"


def test_logging_off_in_a_call_shows_when_the_call_is_over() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    talking(floor, 1, "1")
    floor(5, AgentLoggedOff(agent_id="1"))
    assert floor.agent("1") == "talk"
    floor(9, LegCleared(call_id="c", leg_id="c-1"), WrapStarted(agent_id="1", until=at(20)))
    assert floor.agent("1") == "offline"
    assert queue(floor).agents == {}


# ---------------------------------------------------------------- orders of one moment


@pytest.mark.parametrize("moved_first", [True, False])
def test_an_attended_transfer_completes_in_either_order(moved_first: bool) -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), AgentLoggedOn(agent_id="2"), CallStarted(call_id="c"))
    talking(floor, 1, "1")
    floor(10, TransferRequested(transfer_id="t", call_id="c", kind="attended", from_agent="1", to_agent="2"))
    floor(10, LegStarted(call_id="k", leg_id="k-1", agent_id="1", role="consult", state="dialing"))
    floor(10, LegStarted(call_id="k", leg_id="k-2", agent_id="2", role="internal"))
    floor(12, LegAnswered(call_id="k", leg_id="k-1"), LegAnswered(call_id="k", leg_id="k-2"))
    last = [LegMoved(leg_id="k-2", call_id="c", from_call_id="k"), TransferBridged(transfer_id="t", to_agent="2")]
    floor(14, *(last if moved_first else reversed(last)))
    floor(14, LegCleared(call_id="k", leg_id="k-1"), LegCleared(call_id="c", leg_id="c-1"), CallCleared(call_id="k"))
    floor(30, CallCleared(call_id="c", cleared_by="customer"))
    (transfer,) = floor.made(TransferEnded)
    assert (transfer.total_s, transfer.customer_gap_s, transfer.outcome) == (4.0, 4.0, "completed")
    assert (floor.agent("1"), floor.agent("2")) == ("ready", "ready")
    assert floor.engine.anomalies(SITE) == {}


@pytest.mark.parametrize("dequeued_first", [True, False])
def test_a_queue_gives_a_call_away_in_either_order(dequeued_first: bool) -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallQueued(call_id="c", queue="sales"))
    floor(2, LegStarted(call_id="c", leg_id="l", agent_id="1", queue="sales"))
    order = [
        CallDequeued(call_id="c", queue="sales", reason="answered", agent_id="1"),
        LegAnswered(call_id="c", leg_id="l"),
    ]
    floor(4, *(order if dequeued_first else reversed(order)))
    floor(14, CallCleared(call_id="c"), LegCleared(call_id="c", leg_id="l"))
    (record,) = floor.made(CallEnded)
    assert (record.outcome, record.waited_s, record.talk_s) == ("answered", 4.0, 10.0)


def test_a_call_that_is_over_is_not_brought_back_by_what_comes_late() -> None:
    floor = Bench()
    floor(0, CallQueued(call_id="c", queue="sales"), CallCleared(call_id="c", cleared_by="customer"))
    floor(0.1, CallDequeued(call_id="c", queue="sales", reason="abandoned"), LegCleared(call_id="c", leg_id="l"))
    assert floor.engine.floor_view().calls == ()
    assert queue(floor).abandoned == 1


def test_the_conversation_of_an_agent_who_moves_to_another_call_is_over() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallQueued(call_id="c", queue="sales"))
    talking(floor, 2, "1")
    floor(2, CallDequeued(call_id="c", queue="sales", reason="answered", agent_id="1"))
    floor(12, LegMoved(leg_id="c-1", call_id="d"))
    (record,) = floor.made(CallEnded)
    assert (record.talk_s, record.ended_at) == (10.0, at(12))
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2"))
    floor(22, TransferBridged(transfer_id="t", to_agent="2"))
    (transfer,) = floor.made(TransferEnded)
    assert transfer.customer_gap_s == 10.0, "since the agent left, the customer heard nobody"


# ---------------------------------------------------------------- the link


@pytest.mark.parametrize("said", [True, False])
def test_no_flag_is_raised_for_time_in_which_nobody_listened(said: bool) -> None:
    """Whether the connector could say that it goes down, or was killed."""
    floor = Bench()
    floor(0, LinkUp(connector="x"), AgentLoggedOn(agent_id="1"), CallQueued(call_id="q", queue="sales"))
    talking(floor, 1, "1")
    floor(10, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    if said:
        floor(12, LinkDown(connector="x"))
    floor.mark(12)
    floor(100, LinkUp(connector="x"))
    floor.mark(101)
    assert floor.made(FlagRaised) == []
    (record,) = [one for one in floor.made(CallEnded) if one.queue == "sales"]
    assert record.outcome == "cleared"
    assert (queue(floor).waiting, queue(floor).abandoned, queue(floor).other_ended) == (0, 0, 1)


def test_a_flag_due_before_the_link_went_down_is_raised() -> None:
    floor = Bench()
    floor(0, LinkUp(connector="x"), CallStarted(call_id="c"))
    floor(1, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    floor(8.5, LinkDown(connector="x"))
    assert [flag.raised_at for flag in floor.made(FlagRaised)] == [at(8)]


def test_what_still_holds_after_the_gap_is_told_then() -> None:
    floor = Bench(RuleBook((rule("lost", "agent", 30, state="unknown"),)))
    floor(0, LinkUp(connector="x"))
    floor(1, LegStarted(call_id="c", leg_id="l", agent_id="1"), LegCleared(call_id="c", leg_id="l"))
    floor(10, LinkDown(connector="x"))
    floor(100, LinkUp(connector="x"))
    floor.mark(100.1)
    assert [flag.raised_at for flag in floor.made(FlagRaised)] == [at(31)]


# ---------------------------------------------------------------- midnight


def test_who_waits_over_midnight_is_offered_yesterday_and_answered_today() -> None:
    floor = Bench(config=Sites({SITE: SiteConfig(time_zone="Asia/Shanghai")}))
    midnight = (datetime(2026, 11, 22, 16, 0, tzinfo=UTC) - START).total_seconds()
    floor(midnight - 10, CallQueued(call_id="a", queue="sales"))
    floor(midnight + 5, CallDequeued(call_id="a", queue="sales", reason="answered", agent_id="1"))
    view = queue(floor)
    assert (view.day, view.offered, view.answered, view.waiting, view.longest_waited_s) == ("2026-11-23", 0, 1, 0, 15.0)
    floor(midnight - 1, CallQueued(call_id="late", queue="sales"))
    assert queue(floor).day == "2026-11-23", "a late event does not bring yesterday back"


# ---------------------------------------------------------------- rules


def test_the_flag_of_a_slow_transfer_carries_it_as_slow() -> None:
    floor = Bench()
    floor(0, CallStarted(call_id="c"))
    floor(1, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    floor.mark(9)
    (flag,) = floor.made(FlagRaised)
    assert flag.evidence["slow"] == "yes"


def test_where_knows_the_tags_of_the_agent_who_transfers() -> None:
    new = msgspec.structs.replace(RULES.by_name["slow_transfer"], where=Where(tags=("new",)))
    config = Sites({SITE: SiteConfig(agents={"1": AgentConfig(tags=("new",))})})
    floor = Bench(RuleBook((new,)), config)
    floor(0, CallStarted(call_id="c"))
    for agent_id in ("1", "2"):
        floor(1, TransferRequested(transfer_id=f"t{agent_id}", call_id="c", kind="blind", from_agent=agent_id))
    floor.mark(9)
    assert [flag.subject_id for flag in floor.made(FlagRaised)] == ["t1"]


def test_a_rule_on_calls_cannot_ask_for_an_agents_team(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n- name: x\n  subject: call\n  when: {state: queued}\n  where: {teams: [Blue]}\n"
        "  summary: {en: a, zh: b}\n"
    )
    with pytest.raises(SettingsError, match=r"where\.teams: a call has no agent"):
        load_rulebook(path)


def restored(floor: Bench, *rules: Rule) -> Bench:
    """The same floor after a restart with these rules."""
    after = Bench(RuleBook(rules))
    after.engine.load(floor.engine.dump())
    after._offset = floor._offset
    return after


def a_floor_in_the_middle() -> Bench:
    floor = Bench(
        RuleBook((rule("slow_transfer", "transfer", 7, state="running"), rule("gone", "call", 5, state="started")))
    )
    floor(0, CallStarted(call_id="c"), CallStarted(call_id="d"))
    floor(1, TransferRequested(transfer_id="t", call_id="d", kind="blind", from_agent="1"))
    floor.mark(6)
    (flag,) = floor.made(FlagRaised)
    assert (flag.rule, flag.subject_id) == ("gone", "c")
    return floor


def test_a_rule_that_is_gone_after_a_restart_takes_its_flags_with_it() -> None:
    after = restored(a_floor_in_the_middle())
    after.mark(60)
    assert [flag.rule for flag in after.made(FlagCleared)] == ["gone"]
    assert after.made(FlagRaised) == []
    assert after.engine.floor_view().flags == ()


@pytest.mark.parametrize(("seconds", "raised"), [(3, at(4)), (10, at(11))])
def test_a_rule_with_another_limit_after_a_restart_keeps_to_it(seconds: int, raised: datetime) -> None:
    before = a_floor_in_the_middle()
    after = restored(
        before, rule("slow_transfer", "transfer", seconds, state="running"), before.engine._rules.by_name["gone"]
    )
    after.mark(60)
    (flag,) = after.made(FlagRaised)
    assert (flag.rule, flag.raised_at) == ("slow_transfer", raised)
    assert after.made(FlagCleared) == []


def test_a_raised_flag_stays_when_its_rule_still_holds_with_another_limit() -> None:
    after = restored(a_floor_in_the_middle(), rule("gone", "call", 2, state="started"))
    after.mark(60)
    assert [(flag.rule, flag.subject_id) for flag in after.made(FlagRaised)] == []
    assert len(after.engine.floor_view().flags) == 1


def test_a_new_rule_sees_what_already_held() -> None:
    before = a_floor_in_the_middle()
    after = restored(before, *before.engine._rules.rules, rule("moving", "call", 2, state="transferring"))
    after.mark(6.5)
    assert [(flag.rule, flag.raised_at) for flag in after.made(FlagRaised)] == [("moving", at(3))]


def test_with_the_same_rules_a_restart_changes_nothing() -> None:
    before = a_floor_in_the_middle()
    after = restored(before, *before.engine._rules.rules)
    assert after.engine.dump() == before.engine.dump()


# ---------------------------------------------------------------- growth


def test_timers_that_count_no_longer_are_let_go() -> None:
    engine = Engine(Sites({}), RuleBook((rule("long", "agent", 8 * 3600, state="ready"),)))
    offset = 0
    for second in range(12_000):
        kind = AgentNotReady if second % 2 else AgentReady
        engine.apply(event(second, kind(agent_id="1"), offset))
        offset += 1
    assert len(engine._floors[SITE].state.timers) <= 4097
    engine.apply(event(12_000, AgentReady(agent_id="1"), offset))
    made = engine.apply(event(12_000 + 8 * 3600 + 1, Clock()))
    assert [fact.data.raised_at - START for fact in made if isinstance(fact.data, FlagRaised)] == [
        timedelta(seconds=12_000 + 8 * 3600)
    ]


# ---------------------------------------------------------------- what is not said


def test_an_answered_call_whose_agent_is_not_named_is_the_conversation_of_whoever_talks() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallQueued(call_id="c", queue="sales"))
    floor(3, CallDequeued(call_id="c", queue="sales", reason="answered"))
    talking(floor, 3, "1")
    floor(13, LegCleared(call_id="c", leg_id="c-1"))
    (record,) = floor.made(CallEnded)
    assert (record.agent_id, record.waited_s, record.talk_s) == ("1", 3.0, 10.0)


def test_a_log_on_without_a_name_keeps_the_name_that_was_told() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", name="Ann", team="Blue"), AgentLoggedOn(agent_id="2"))
    floor(1, AgentLoggedOn(agent_id="1", queues=("sales",)))
    names = {view.agent_id: (view.name, view.team) for view in floor.engine.floor_view().agents}
    assert names == {"1": ("Ann", "Blue"), "2": ("2", "")}


def test_a_call_that_never_queued_is_recorded_with_its_conversation() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallStarted(call_id="c", direction="outbound"))
    floor(1, LegStarted(call_id="c", leg_id="l", agent_id="1", state="dialing"))
    floor(4, LegAnswered(call_id="c", leg_id="l"))
    floor(10, LegHeld(call_id="c", leg_id="l"))
    floor(13, LegCleared(call_id="c", leg_id="l"), CallCleared(call_id="c"))
    (record,) = floor.made(CallEnded)
    assert (record.outcome, record.agent_id, record.waited_s) == ("answered", "1", 4.0)
    assert (record.talk_s, record.hold_s) == (6.0, 3.0)
