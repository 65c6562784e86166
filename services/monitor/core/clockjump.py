"""The switch's clock was set: what runs moves with it, so that nothing gets older or younger by it."""

from __future__ import annotations

from services.monitor.core.floor import Floor
from shared import events
from shared.events import Event


def jumped(floor: Floor, event: Event, data: events.ClockJumped) -> None:
    """Count it."""
    floor.anomaly("clock_jump")
