"""The published verdict on a transfer, where the flag was raised before the bridge was told."""

from __future__ import annotations

import pytest

from shared import events, facts
from tests.floorkit import Bench


@pytest.mark.parametrize(("bridged", "slow"), [(6.9, "no"), (7.0, "no"), (7.1, "yes")])
def test_a_bridge_that_is_told_late_decides_against_the_flag(bridged: float, slow: str) -> None:
    floor = Bench()
    floor(0, events.LinkUp(connector="test"), events.AgentLoggedOn(agent_id="1"), events.CallStarted(call_id="c"))
    floor(10, events.TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1", to_agent="2"))
    assert any(isinstance(one.data, facts.FlagRaised) for one in floor.mark(17.5))
    made = floor(10 + bridged, events.TransferBridged(transfer_id="t", to_agent="2"))
    record = next(one.data for one in made if isinstance(one.data, facts.TransferEnded))
    assert record.total_s == pytest.approx(bridged)
    assert record.slow == slow
    assert any(isinstance(one.data, facts.FlagCleared) for one in made)
