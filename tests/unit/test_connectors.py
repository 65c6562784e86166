"""Several connectors on one site, and what a lost link greys."""

from __future__ import annotations

import pytest

from services.monitor.core.links import MOST_CONNECTORS
from services.monitor.core.views import FloorView, SiteView
from shared.events import (
    AgentLoggedOn,
    AgentNotReady,
    CallQueued,
    CallStarted,
    LinkDown,
    LinkUp,
    TransferBridged,
    TransferRequested,
)
from shared.facts import AgentInterval, CallEnded
from tests.floorkit import SITE, Bench, at


def site(floor: Bench) -> SiteView:
    view = floor.engine.view("site", SITE, SITE)
    assert isinstance(view, SiteView)
    return view


def provenances(shown: FloorView) -> dict[str, set[str]]:
    return {
        "agent": {one.provenance for one in shown.agents},
        "call": {one.provenance for one in shown.calls},
        "queue": {one.provenance for one in shown.queues},
        "transfer": {one.provenance for one in shown.transfers},
    }


def opened() -> Bench:
    floor = Bench()
    floor(0, LinkUp(connector="calls"), AgentLoggedOn(agent_id="1"), CallQueued(call_id="c", queue="sales"))
    return floor


def test_a_second_connector_that_comes_sweeps_nothing() -> None:
    floor = opened()
    floor(10, LinkUp(connector="agents"))
    assert (floor.agent("1"), len(floor.engine.floor_view().calls)) == ("ready", 1)
    assert (site(floor).link, site(floor).link_since) == ("up", at(0))


def test_one_of_two_connectors_that_goes_leaves_the_site_up_and_says_what_is_missing() -> None:
    floor = opened()
    floor(10, LinkUp(connector="agents"))
    floor(20, LinkDown(connector="agents", reason="cable"))
    assert site(floor).link == "up"
    assert site(floor).link_reason == "connector agents is down since 2026-11-22T09:00:20+00:00: cable"
    assert floor.engine.floor_view().agents[0].provenance == "observed"
    floor(30, LinkUp(connector="agents"))
    assert (site(floor).link_reason, floor.agent("1"), len(floor.engine.floor_view().calls)) == ("", "ready", 1)


def test_when_the_last_connector_goes_the_site_is_down_and_what_comes_after_is_new() -> None:
    floor = opened()
    floor(10, LinkUp(connector="agents"))
    floor(20, LinkDown(connector="calls"))
    floor(21, LinkDown(connector="agents", reason="cable"))
    assert (site(floor).link, site(floor).link_since, site(floor).link_reason) == ("down", at(21), "cable")
    floor(30, LinkUp(connector="agents"))
    assert (site(floor).link, site(floor).link_since) == ("up", at(30))
    assert site(floor).link_reason.startswith("connector calls is down since")
    assert (floor.agent("1"), floor.engine.floor_view().calls) == ("unknown", ())


def test_the_only_connector_that_comes_back_without_having_gone_heard_nothing_meanwhile() -> None:
    floor = opened()
    floor(10, LinkUp(connector="calls"))
    assert (floor.agent("1"), floor.engine.floor_view().calls) == ("unknown", ())


def test_of_two_connectors_one_that_comes_back_without_having_gone_sweeps_nothing() -> None:
    """The other heard the site; what this one missed is put right by its snapshot, and by leases."""
    floor = opened()
    floor(10, LinkUp(connector="agents"))
    floor(20, LinkUp(connector="calls"))
    assert (floor.agent("1"), len(floor.engine.floor_view().calls)) == ("ready", 1)


def test_a_second_connector_that_comes_does_not_hide_what_falls_due_until_then() -> None:
    floor = opened()
    floor(31, LinkUp(connector="agents"))
    assert [flag.rule for flag in floor.engine.floor_view().flags] == ["long_wait"]


def test_a_site_is_simulated_while_any_connector_that_hears_it_is() -> None:
    floor = Bench()
    floor(0, LinkUp(connector="real"), LinkUp(connector="toy", simulated=True))
    assert site(floor).simulated
    floor(1, LinkUp(connector="real"))
    assert site(floor).simulated
    floor(2, LinkDown(connector="toy"))
    floor(3, LinkUp(connector="real"))
    assert not site(floor).simulated


def test_connectors_that_change_their_names_do_not_pile_up() -> None:
    floor = Bench()
    for second in range(100):
        floor(second, LinkUp(connector=f"c{second}"), LinkDown(connector=f"c{second}"))
    state = floor.engine._floors[SITE].state
    assert len(state.connectors) == MOST_CONNECTORS
    assert "c99" in state.connectors


# ---------------------------------------------------------------- provenance and age


def test_a_lost_link_makes_everything_of_the_site_stale_and_its_return_ends_that() -> None:
    floor = opened()
    floor(1, CallStarted(call_id="d"), TransferRequested(transfer_id="t", call_id="d", kind="blind", from_agent="1"))
    floor.engine.changes()
    floor(10, LinkDown(connector="calls"))
    shown = floor.engine.floor_view()
    assert provenances(shown) == {"agent": {"stale"}, "call": {"stale"}, "queue": {"stale"}, "transfer": {"stale"}}
    told = {kind for kind, _, _ in floor.engine.changes()}
    assert told >= {"site", "agent", "call", "queue", "transfer"}, "boards hear of it"
    floor(20, LinkUp(connector="calls"))
    shown = floor.engine.floor_view()
    assert provenances(shown) == {"agent": {"inferred"}, "call": set(), "queue": {"observed"}, "transfer": {"inferred"}}
    assert {kind for kind, _, _ in floor.engine.changes()} >= {"site", "agent", "queue", "transfer"}


def test_an_agent_unknown_before_and_after_the_gap_is_stale_only_in_it() -> None:
    floor = Bench()
    floor(0, LinkUp(connector="x"), TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    floor(10, LinkDown(connector="x"))
    floor(20, LinkUp(connector="x"))
    assert floor.engine.floor_view().agents[0].provenance == "inferred"
    assert [(one.state, one.provenance) for one in floor.made(AgentInterval)] == [
        ("unknown", "observed"),
        ("unknown", "stale"),
    ]


def test_what_is_told_while_the_link_is_down_is_stale_too() -> None:
    floor = opened()
    floor(10, LinkDown(connector="calls"))
    floor(9.5, AgentNotReady(agent_id="1"), CallStarted(call_id="late"))
    shown = floor.engine.floor_view()
    assert (floor.agent("1"), shown.agents[0].provenance) == ("break", "stale")
    assert {call.provenance for call in shown.calls} == {"stale"}
    floor(20, LinkUp(connector="calls"))
    assert floor.made(AgentInterval)[-1].provenance == "stale"


def test_a_transfer_that_is_over_does_not_get_stale() -> None:
    floor = opened()
    floor(1, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    floor(3, TransferBridged(transfer_id="t"), LinkDown(connector="calls"))
    assert floor.engine.floor_view().transfers[0].provenance == "observed"


@pytest.mark.parametrize("step", [0.25, 0.75])
def test_everything_says_how_old_it_is(step: float) -> None:
    floor = opened()
    floor(
        5,
        CallQueued(call_id="d", queue="support"),
        TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"),
    )
    floor(6, TransferBridged(transfer_id="t"))
    floor(6 + step, CallStarted(call_id="e"))
    shown = floor.engine.floor_view()
    assert {queue.queue: queue.seen for queue in shown.queues} == {"sales": at(0), "support": at(5)}
    assert {call.call_id: call.seen for call in shown.calls} == {"c": at(6), "d": at(5), "e": at(6 + step)}
    assert (shown.transfers[0].seen, shown.agents[0].seen) == (at(6), at(5))
    assert shown.sites[0].heard == at(6), "to the second"


def test_records_of_what_a_gap_ended_are_not_claimed_to_be_observed() -> None:
    floor = opened()
    floor(10, LinkDown(connector="calls"))
    floor(20, LinkUp(connector="calls"))
    assert [record.outcome for record in floor.made(CallEnded)] == ["cleared"]
    assert {one.provenance for one in floor.made(AgentInterval)} == {"observed", "stale"}


def test_another_reason_does_not_change_since_when_it_is_down() -> None:
    floor = opened()
    floor(10, LinkDown(connector="calls", reason="connection lost: pbx:5038"))
    before = floor.engine.view("agent", SITE, "1")
    floor(20, LinkDown(connector="calls", reason="connection refused: pbx:5038"))
    assert (site(floor).link_since, site(floor).link_reason) == (at(10), "connection refused: pbx:5038")
    assert floor.engine.view("agent", SITE, "1") == before
