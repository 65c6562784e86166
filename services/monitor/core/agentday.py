"""An agent's figures since midnight at the site."""

from __future__ import annotations

from services.monitor.core.floor import Floor
from services.monitor.core.state import Leg


def missed(floor: Floor, leg: Leg) -> None:
    """A phone stopped ringing because nobody took the call. Only what rang for a customer counts."""
    if leg.agent_id and leg.role == "agent" and leg.state == "ringing":
        floor.state.agents[leg.agent_id].missed_in_row += 1


def answered(floor: Floor, leg: Leg) -> None:
    """The agent is on the phone, so whatever was missed in a row is over."""
    if leg.agent_id:
        floor.state.agents[leg.agent_id].missed_in_row = 0
