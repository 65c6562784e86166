"""Who listens to whom: a set of listens an agent, none of which outlives its call."""

from __future__ import annotations

from datetime import timedelta

from services.monitor.core.trust import listening
from services.monitor.core.views import AgentView
from shared.events import (
    AgentLoggedOn,
    CallCleared,
    LegAnswered,
    LegCleared,
    LegMoved,
    LegStarted,
    LinkDown,
    LinkUp,
    ListenEnded,
    ListenStarted,
)
from shared.siteconfig import Leases, SiteConfig, Sites
from tests.floorkit import RULES, SITE, Bench


def listened(floor: Bench, agent_id: str = "1") -> bool:
    view = floor.engine.view("agent", SITE, agent_id)
    assert isinstance(view, AgentView)
    return view.listened


def in_a_call(floor: Bench) -> Bench:
    floor(0, AgentLoggedOn(agent_id="1"), LegStarted(call_id="c", leg_id="l", agent_id="1"))
    floor(1, LegAnswered(call_id="c", leg_id="l"))
    return floor


def test_a_listen_whose_end_is_never_told_ends_with_its_call() -> None:
    floor = in_a_call(Bench())
    floor(2, ListenStarted(listen_id="s", agent_id="1", call_id="c", listener="9"))
    floor(9, CallCleared(call_id="c"))
    assert not listened(floor)
    assert floor.engine.anomalies(SITE) == {}, "the end may still be told"
    floor.mark(70)
    assert floor.engine.anomalies(SITE) == {"listen_end_lost": 1}
    assert floor.engine._floors[SITE].state.listening == {}


def test_an_end_that_is_told_right_after_the_call_is_no_anomaly() -> None:
    floor = in_a_call(Bench())
    floor(2, ListenStarted(listen_id="s", agent_id="1", call_id="c"))
    floor(9, CallCleared(call_id="c"))
    floor(9.2, ListenEnded(listen_id="s"))
    floor.mark(100)
    assert floor.engine.anomalies(SITE) == {}


def test_a_listen_of_an_agent_alone_is_of_the_call_that_the_agent_is_in() -> None:
    floor = in_a_call(Bench())
    floor(2, ListenStarted(listen_id="s", agent_id="1"))
    floor(9, CallCleared(call_id="c"))
    assert not listened(floor)


def test_a_listen_of_a_call_alone_shows_at_its_agent() -> None:
    floor = in_a_call(Bench())
    floor(2, ListenStarted(listen_id="s", call_id="c"))
    assert listened(floor)
    floor(3, ListenEnded(listen_id="s"))
    assert not listened(floor)


def test_a_listen_goes_with_the_phone_that_goes_on_in_another_call() -> None:
    floor = in_a_call(Bench())
    floor(2, ListenStarted(listen_id="s", agent_id="1", call_id="c"))
    floor(5, LegMoved(leg_id="l", call_id="d"), CallCleared(call_id="c"))
    assert listened(floor)
    floor(9, LegCleared(call_id="d", leg_id="l"), CallCleared(call_id="d"))
    assert not listened(floor)


def test_a_listen_in_no_call_that_we_know_ends_with_the_lease_of_a_call() -> None:
    config = Sites({SITE: SiteConfig(leases=Leases(call_s=600))})
    floor = Bench(RULES, config)
    floor(0, AgentLoggedOn(agent_id="1"), ListenStarted(listen_id="s", agent_id="1"))
    floor.mark(599)
    assert listened(floor)
    floor.mark(601)
    assert not listened(floor)
    assert floor.engine.anomalies(SITE) == {"listen_end_lost": 1}


def test_listens_do_not_pile_up() -> None:
    floor = Bench(RULES, Sites({SITE: SiteConfig(leases=Leases(call_s=0))}))
    for number in range(1100):
        floor(number, ListenStarted(listen_id=f"s{number}", agent_id="1"))
    assert len(floor.engine._floors[SITE].state.listening) == listening.MOST
    floor.mark(1100 + timedelta(hours=4).total_seconds() + 1)
    assert floor.engine._floors[SITE].state.listening == {}


def test_after_a_lost_link_nobody_is_said_to_listen() -> None:
    floor = in_a_call(Bench())
    floor(2, ListenStarted(listen_id="s", agent_id="1", call_id="c"))
    floor(3, LinkDown(connector="x"))
    floor(9, LinkUp(connector="x"))
    assert not listened(floor)


def test_a_second_listen_of_the_same_id_after_its_call_ended_counts() -> None:
    floor = in_a_call(Bench())
    floor(2, ListenStarted(listen_id="s", agent_id="1", call_id="c"))
    floor(9, CallCleared(call_id="c"))
    floor(
        20, LegStarted(call_id="d", leg_id="m", agent_id="1"), ListenStarted(listen_id="s", agent_id="1", call_id="d")
    )
    floor.mark(100)
    assert listened(floor)
    assert floor.engine.anomalies(SITE) == {}
