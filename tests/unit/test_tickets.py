"""Which listens were ordered: tickets from a connector's word, and what the switch says of listeners."""

from __future__ import annotations

import pytest

from services.monitor.core.engine import Engine
from services.monitor.core.state import SiteState
from services.monitor.core.trust import tickets
from services.monitor.core.views import AgentView
from shared.events import (
    AgentLoggedOn,
    CallCleared,
    CallStarted,
    ClockJumped,
    CommandAnswered,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegStarted,
    LinkDown,
    LinkUp,
    ListenEnded,
    ListenStarted,
)
from shared.facts import FlagCleared, FlagRaised
from tests.floorkit import CONFIG, SITE, Bench, at, event
from tests.unit.test_rules_at_work import book, flags

FORK = "40325ec2-5efd-4bd3-805f-53576e581d13"
UNORDERED = book("unordered_listeners >= 1", says="{agent_name} by {unordered_by}")
SITE_RULE = book("unordered_listeners >= 1", subject="site", says="{unordered_by} at {site}")


def said(outcome: str, fork_id: str = FORK, action: str = "listen_start") -> CommandAnswered:
    return CommandAnswered(
        command_id=f"k-{fork_id}",
        action=action,
        outcome=outcome,
        fork_id=fork_id,
        agent_id="1",
        call_id="c",  # type: ignore[arg-type]
    )


def listen(ticket: str = FORK, listen_id: str = "s", **more: str) -> ListenStarted:
    return ListenStarted(
        listen_id=listen_id, **{"agent_id": "1", "call_id": "c", "listener": "1040", "ticket": ticket, **more}
    )


def state_of(floor: Bench) -> SiteState:
    return floor.engine._floors[SITE].state


def card(floor: Bench, agent_id: str = "1") -> AgentView:
    view = floor.engine.view("agent", SITE, agent_id)
    assert isinstance(view, AgentView)
    return view


def shown(floor: Bench, agent_id: str = "1") -> tuple[bool, int, bool]:
    view = card(floor, agent_id)
    return view.listened, view.listeners, view.unordered


@pytest.fixture
def floor() -> Bench:
    floor = Bench(UNORDERED)
    floor(0, AgentLoggedOn(agent_id="1", name="Ana"), AgentLoggedOn(agent_id="2", name="Bo"))
    floor(1, LegStarted(call_id="c", leg_id="l", agent_id="1"), LegAnswered(call_id="c", leg_id="l"))
    return floor


# ---------------------------------------------------------------- ordered or not


def test_a_listen_whose_ticket_was_taken_is_ordered(floor: Bench) -> None:
    floor(5, said("taken"))
    floor(6, listen(), said("done"))
    assert shown(floor) == (True, 1, False)
    floor(60, ListenEnded(listen_id="s"))
    floor.mark(200)
    assert (shown(floor), flags(floor), floor.engine.anomalies(SITE)) == ((False, 0, False), [], {})


@pytest.mark.parametrize("ticket", ["", "another"])
def test_a_listen_without_a_ticket_of_ours_is_flagged_at_once_and_once(floor: Bench, ticket: str) -> None:
    floor(5, said("taken"))
    floor(6, listen(), listen(ticket, "t"))
    floor(7, LegHeld(call_id="c", leg_id="l"))
    floor(8, listen(ticket, "u", listener="1041"))
    assert shown(floor) == (True, 3, True)
    floor(20, ListenEnded(listen_id="t"))
    assert shown(floor) == (True, 2, True)
    floor(30, ListenEnded(listen_id="u"))
    assert flags(floor) == [("1", 6.0, 30.0)]
    assert floor.made(FlagRaised)[0].summary_en == "Ana by 1040"
    assert shown(floor) == (True, 1, False)


@pytest.mark.parametrize("outcome", ["failed", "expired", "refused"])
def test_a_ticket_of_which_nothing_came_is_forgotten(floor: Bench, outcome: str) -> None:
    floor(5, said("taken"))
    floor(6, said(outcome))
    assert not state_of(floor).tickets
    floor(7, listen())
    floor.mark(8)
    assert flags(floor) == [("1", 7.0, None)]


def test_a_refused_command_makes_no_ticket(floor: Bench) -> None:
    floor(5, said("refused"), said("expired"), said("failed"), said("done", action="listen_mode"), said("taken", ""))
    assert not state_of(floor).tickets


def test_a_failure_that_is_told_while_the_listen_runs_takes_nothing_back(floor: Bench) -> None:
    floor(5, said("taken"), listen())
    floor(8, said("failed"))
    floor.mark(9)
    assert (shown(floor), flags(floor)) == ((True, 1, False), [])


def test_a_ticket_that_is_read_after_its_listen_still_counts(floor: Bench) -> None:
    floor(5, listen())
    floor.mark(6)
    assert shown(floor) == (True, 1, True)
    floor(7, said("taken"))
    floor.mark(8)
    assert shown(floor) == (True, 1, False)
    floor(9, ListenEnded(listen_id="s"))
    assert flags(floor) == [("1", 5.0, 6.0)]


def test_a_listener_who_goes_on_to_another_channel_is_still_ordered(floor: Bench) -> None:
    floor(5, said("taken"), said("done"), listen(listen_id="s:1"))
    floor(20, ListenEnded(listen_id="s:1"), listen(listen_id="s:2"))
    floor(30, listen(listen_id="s:3"), ListenEnded(listen_id="s:2"))
    floor.mark(500)
    assert (shown(floor), flags(floor)) == ((True, 1, False), [])
    floor(501, ListenEnded(listen_id="s:3"))
    floor.mark(600)
    assert not state_of(floor).tickets


def test_a_ticket_is_good_for_one_listen(floor: Bench) -> None:
    floor(5, said("taken"), said("done"), listen())
    floor(20, ListenEnded(listen_id="s"))
    floor.mark(81)
    assert not state_of(floor).tickets
    floor(90, listen(listen_id="t"))
    assert shown(floor) == (True, 1, True)


# ---------------------------------------------------------------- tickets of which nothing is heard


def test_a_listen_that_does_not_begin_in_time_is_an_anomaly(floor: Bench) -> None:
    floor(5, said("taken"))
    floor.mark(8)
    floor(8, said("done"))
    floor.mark(18)
    assert floor.engine.anomalies(SITE) == {}
    floor.mark(18.1)
    assert floor.engine.anomalies(SITE) == {"listen_ticket_unused": 1}
    (found,) = floor.engine.anomaly_log(SITE)
    assert (found.subject, found.subject_id, found.before) == ("listen", FORK, "ordered for agent 1, call c")
    floor.mark(100)
    assert not state_of(floor).tickets
    assert floor.engine.anomalies(SITE) == {"listen_ticket_unused": 1}


def test_one_that_was_only_taken_or_was_stopped_in_time_is_none(floor: Bench) -> None:
    floor(5, said("taken"), said("taken", "b"), said("done", "b"))
    floor(7, said("done", "b", "listen_stop"))
    floor.mark(100)
    assert floor.engine.anomalies(SITE) == {}


def test_what_nobody_could_hear_is_no_anomaly(floor: Bench) -> None:
    floor(2, LinkUp(connector="x"))
    floor(5, said("taken"), said("done"))
    floor(6, LinkDown(connector="x"))
    floor(60, LinkUp(connector="x"))
    floor.mark(61)
    assert floor.engine.anomalies(SITE) == {}
    floor(62, AgentLoggedOn(agent_id="1"), listen())  # told anew
    floor.mark(500)
    assert (shown(floor), flags(floor)) == ((True, 1, False), [])


def test_one_of_which_nothing_is_told_after_a_lost_link_is_forgotten(floor: Bench) -> None:
    floor(2, LinkUp(connector="x"))
    floor(5, said("taken"), said("done"), listen())
    floor(6, LinkDown(connector="x"))
    floor(60, LinkUp(connector="x"))
    assert shown(floor) == (False, 0, False)
    floor.mark(121)
    assert not state_of(floor).tickets


def test_what_comes_late_after_a_silence_has_its_time(floor: Bench) -> None:
    floor(2, LinkUp(connector="x"))
    floor(5, said("taken"), said("done"))
    floor(6, LinkDown(connector="x", reason="silent"))
    floor(60, LinkUp(connector="x", resumed=True))
    floor.mark(69)
    assert floor.engine.anomalies(SITE) == {}
    floor(5.5, listen())
    floor.mark(100)
    assert floor.engine.anomalies(SITE) == {}


def test_a_set_clock_moves_the_time_to_begin(floor: Bench) -> None:
    floor(5, said("taken"), said("done"))
    floor(3606, ClockJumped(by_s=3600))
    floor.mark(3610)
    assert "listen_ticket_unused" not in floor.engine.anomalies(SITE)
    floor.mark(3620)
    assert floor.engine.anomalies(SITE)["listen_ticket_unused"] == 1


# ---------------------------------------------------------------- an answer is no word of the switch


@pytest.mark.parametrize("off_s", [-7200, 7200])
def test_the_time_of_an_answer_moves_no_clock(floor: Bench, off_s: float) -> None:
    """A connector that does not know the switch's clock stamps with ours."""
    floor(5, listen(""))
    floor.mark(6)
    made = floor(6 + off_s, said("taken"), said("done"), said("taken", "b"))
    state = state_of(floor)
    assert (state.now, made, state.heard) == (at(6), [], at(5))
    floor.mark(15)
    assert floor.engine.anomalies(SITE) == {}
    floor.mark(17)
    assert floor.engine.anomalies(SITE) == {"listen_ticket_unused": 1}


def test_an_answer_is_no_first_word_of_a_site() -> None:
    floor = Bench(UNORDERED)
    floor(9, said("taken"))
    assert state_of(floor).began is None
    floor(3, AgentLoggedOn(agent_id="1"))
    assert state_of(floor).began == at(3)
    floor(4, listen())
    assert shown(floor) == (True, 1, False)


def test_an_answer_does_not_pass_the_moment_of_a_rewind(floor: Bench) -> None:
    assert not floor.engine.passes(event(999, said("taken")), at(20))
    assert floor.engine.passes(event(999, listen()), at(20))


# ---------------------------------------------------------------- whom a listen is of


def test_a_listen_of_a_call_goes_with_the_call_to_the_next_agent(floor: Bench) -> None:
    floor(5, listen(""))
    floor(9, LegStarted(call_id="c", leg_id="m", agent_id="2"), LegCleared(call_id="c", leg_id="l"))
    assert (shown(floor), shown(floor, "2")) == ((True, 1, True), (False, 0, False)), "until somebody else talks"
    floor(12, LegAnswered(call_id="c", leg_id="m"))
    assert (shown(floor), shown(floor, "2")) == ((False, 0, False), (True, 1, True))
    floor(20, LegCleared(call_id="c", leg_id="m"), CallCleared(call_id="c"))
    assert flags(floor) == [("1", 5.0, 12.0), ("2", 12.0, 20.0)]


def test_it_goes_when_the_one_who_talked_with_another_leaves(floor: Bench) -> None:
    floor(5, listen(""))
    floor(9, LegStarted(call_id="c", leg_id="m", agent_id="2", state="talking"))
    assert shown(floor, "2") == (False, 0, False)
    floor(12, LegCleared(call_id="c", leg_id="l"))
    assert (shown(floor), shown(floor, "2")) == ((False, 0, False), (True, 1, True))


def test_another_call_of_the_agent_is_not_listened_to(floor: Bench) -> None:
    """The listen was of the customer's channel: that agent's next call is heard by nobody."""
    floor(5, listen(""))
    floor(9, LegStarted(call_id="c", leg_id="m", agent_id="2", state="talking"), LegCleared(call_id="c", leg_id="l"))
    floor(12, LegStarted(call_id="d", leg_id="n", agent_id="1", state="talking"))
    assert (shown(floor), shown(floor, "2")) == ((False, 0, False), (True, 1, True))


def test_listeners_to_nobody_known_are_the_sites() -> None:
    floor = Bench(SITE_RULE)
    floor(0, AgentLoggedOn(agent_id="1"), CallStarted(call_id="c"))
    floor(4, said("taken"), listen(agent_id=""))
    floor(5, listen("", "t", agent_id="", listener="1041"), listen("", "u", agent_id="stranger", call_id="x"))
    (flag,) = floor.made(FlagRaised)
    assert (flag.subject, flag.raised_at, flag.summary_en) == ("site", at(5), f"1041 at {SITE}")
    floor(6, LegStarted(call_id="c", leg_id="l", agent_id="1", state="talking"))
    assert shown(floor) == (True, 2, True)
    assert not floor.made(FlagCleared), "one still listens to nobody known"
    floor(9, ListenEnded(listen_id="u"))
    assert [one.cleared_at for one in floor.made(FlagCleared)] == [at(9)]


# ---------------------------------------------------------------- bounds and checkpoints


def test_tickets_do_not_pile_up(floor: Bench) -> None:
    floor(5, said("taken"), listen())
    for number in range(tickets.MOST + 50):
        floor(6, said("taken", f"f{number}"))
    assert len(state_of(floor).tickets) == tickets.MOST
    assert FORK in state_of(floor).tickets, "its listen runs"
    assert "f49" not in state_of(floor).tickets


def test_tickets_and_listens_survive_a_checkpoint(floor: Bench) -> None:
    floor(5, said("taken"), said("taken", "b"), said("done", "b"), listen("", "t"))
    floor.mark(6)
    engine = Engine(CONFIG, UNORDERED)
    engine.load(floor.engine.dump())
    assert engine.dump() == floor.engine.dump()
    floor.engine = engine
    floor(7, listen())
    assert shown(floor) == (True, 2, True)
    floor(8, ListenEnded(listen_id="t"))
    floor.mark(60)
    assert shown(floor) == (True, 1, False)
    assert flags(floor) == [("1", 5.0, 8.0)]
    assert floor.engine.anomalies(SITE) == {"listen_ticket_unused": 1}


def test_an_old_listen_of_a_checkpoint_is_counted_out_again(floor: Bench) -> None:
    """One from before there were tickets counts nobody as unordered."""
    floor(5, listen(""))
    state_of(floor).agents["1"].unordered = 0
    floor.engine.load(floor.engine.dump())
    floor(9, ListenEnded(listen_id="s"))
    assert (state_of(floor).agents["1"].unordered, shown(floor)) == (0, (False, 0, False))
