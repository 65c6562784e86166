"""A transfer whose kind or target the switch names only later."""

from __future__ import annotations

from shared.events import AgentLoggedOn, LegAnswered, LegStarted, TransferBridged, TransferRequested
from shared.facts import FlagRaised
from shared.facts import TransferEnded as TransferRecord
from tests.floorkit import Bench, at


def test_the_target_is_adopted_and_the_clock_runs_on() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1"))
    floor(5, LegStarted(call_id="c", leg_id="one", agent_id="1"))
    floor(10, LegAnswered(call_id="c", leg_id="one"))
    floor(20, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_number="802"))
    late = TransferRequested(
        transfer_id="t", call_id="c", kind="queue", from_agent="1", to_number="802", to_queue="support"
    )
    floor(25, late)
    floor(28, TransferBridged(transfer_id="t", to_agent="2"))
    (record,) = floor.made(TransferRecord)
    assert (record.kind, record.to_queue, record.to_number, record.to_agent) == ("queue", "support", "802", "2")
    assert record.total_s == 8.0
    assert [flag.raised_at for flag in floor.made(FlagRaised)] == [at(27)]
