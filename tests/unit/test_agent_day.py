"""An agent's figures since midnight at the site."""

from __future__ import annotations

from services.monitor.core.views import AgentFiguresView, AgentView
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    AgentNotReady,
    CallStarted,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegRetrieved,
    LegStarted,
    LinkUp,
    ListenEnded,
    ListenStarted,
    TransferRequested,
    WrapEnded,
    WrapStarted,
)
from shared.siteconfig import SiteConfig, Sites
from tests.floorkit import SITE, Bench, at

MIDNIGHT = 1800  # 09:30 UTC in the Marquesas
MARQUESAS = Sites({SITE: SiteConfig(time_zone="Pacific/Marquesas")})


def today(floor: Bench, agent_id: str = "1") -> AgentFiguresView:
    card = floor.engine.view("agent", SITE, agent_id)
    assert isinstance(card, AgentView)
    assert card.today is not None
    return card.today


def ring(floor: Bench, second: float, leg: str) -> None:
    floor(second, LegStarted(call_id=f"c{leg}", leg_id=leg, agent_id="1", queue="sales"))


def test_what_an_agent_did_today() -> None:
    floor = Bench()
    floor(0, LinkUp(connector="test"))
    floor(100, AgentLoggedOn(agent_id="1", queues=("sales",)))
    ring(floor, 150, "k")
    floor(155, LegAnswered(call_id="ck", leg_id="k"))
    floor(200, LegHeld(call_id="ck", leg_id="k"))
    floor(210, TransferRequested(transfer_id="t", call_id="ck", kind="blind", from_agent="1"))
    floor(220, LegRetrieved(call_id="ck", leg_id="k"))
    assert today(floor).handled == 0  # it still runs
    floor(250, LegCleared(call_id="ck", leg_id="k"), WrapStarted(agent_id="1", call_id="ck", queue="sales"))
    floor(280, WrapEnded(agent_id="1"))
    floor(300, AgentNotReady(agent_id="1", reason="tea"))
    floor(400, AgentLoggedOff(agent_id="1"))
    found = today(floor)
    seconds = {"offline": 100, "ready": 70, "ringing": 5, "talk": 75, "hold": 20, "wrap": 30, "break": 100}
    assert found.state_s == seconds
    assert (found.day, found.since) == ("2026-11-22", at(0))
    assert (found.handled, found.talk_s, found.hold_s, found.wrap_s, found.transfers) == (1, 75, 20, 30, 1)
    assert found.occupancy == (75 + 20 + 30) / (75 + 20 + 30 + 70)


def test_the_day_is_split_at_midnight() -> None:
    floor = Bench(config=MARQUESAS)
    floor(MIDNIGHT - 600, AgentLoggedOn(agent_id="1"))
    floor(MIDNIGHT - 100, AgentNotReady(agent_id="1"))
    assert (today(floor).day, today(floor).state_s) == ("2026-11-21", {"ready": 500})
    floor.mark(MIDNIGHT + 1)
    assert (today(floor).day, today(floor).since, today(floor).state_s) == ("2026-11-22", at(MIDNIGHT), {})
    ring(floor, MIDNIGHT + 50, "k")
    assert today(floor).state_s == {"break": 50}  # of the 150 s of this break, what lay after midnight


def test_a_dialled_call_counts_for_the_agent_and_a_colleagues_does_not() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"), CallStarted(call_id="c", direction="outbound"))
    floor(1, LegStarted(call_id="c", leg_id="k", agent_id="1", state="dialing"))
    floor(6, LegAnswered(call_id="c", leg_id="k"))
    floor(36, LegCleared(call_id="c", leg_id="k"))
    floor(40, LegStarted(call_id="d", leg_id="l", agent_id="1", role="internal", state="talking"))
    floor(50, LegCleared(call_id="d", leg_id="l"))
    assert (today(floor).handled, today(floor).talk_s, today(floor).state_s["talk"]) == (1, 30, 40)


def test_a_call_that_rings_out_is_missed_until_one_is_answered() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    for number, leg in enumerate("abc"):
        ring(floor, 10 + number * 20, leg)
        floor(20 + number * 20, LegCleared(call_id=f"c{leg}", leg_id=leg, cause="no_answer"))
    assert (today(floor).missed, today(floor).missed_in_row) == (3, 3)
    ring(floor, 100, "d")
    floor(105, LegCleared(call_id="cd", leg_id="d", cause="answered_elsewhere"))  # another phone was faster
    assert (today(floor).missed, today(floor).missed_in_row) == (3, 3)
    ring(floor, 110, "e")
    floor(115, LegAnswered(call_id="ce", leg_id="e"), LegCleared(call_id="ce", leg_id="e"))
    assert (today(floor).missed, today(floor).missed_in_row, today(floor).handled) == (3, 0, 1)


def test_what_a_colleague_did_not_answer_is_not_missed() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor(10, LegStarted(call_id="c", leg_id="k", agent_id="1", role="consult", state="dialing"))
    floor(30, LegCleared(call_id="c", leg_id="k", cause="no_answer"))
    assert (today(floor).missed, today(floor).missed_in_row) == (0, 0)


def test_listening_changes_no_figure_of_the_agent() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", queues=("sales",)))
    ring(floor, 10, "k")
    floor(20, LegAnswered(call_id="ck", leg_id="k"))
    before = today(floor)
    floor(30, ListenStarted(listen_id="x", agent_id="1", call_id="ck"))
    floor(50, ListenEnded(listen_id="x"))
    assert today(floor) == before
