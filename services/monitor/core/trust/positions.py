"""Positions in `switch.raw`, by which an event is known to have come before.

When `switch.raw` is made anew while `floor.events` stays, positions begin at 0 again, and everything that comes would be taken
for a duplicate for ever. An event that came before was applied, and so is not newer than the newest one applied. One that is
newer, and has a position that was passed, proves that positions began anew.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import SiteState
from shared import events
from shared.events import Event

_STEP: Final = timedelta(seconds=1)


def passed(state: SiteState, position: tuple[int, int, int]) -> bool:
    """Whether this position was passed before."""
    return position[0] == state.position[0] and position <= state.position


def began_anew(state: SiteState, event: Event) -> bool:
    """Whether an event whose position was passed proves that positions began anew. One about the link, or a command, proves
    nothing: it may be stamped with another clock."""
    if state.heard_next is None or isinstance(event.data, events.LinkUp | events.LinkDown | events.CommandAnswered):
        return False
    return event.time >= state.heard_next and (state.positions_from is None or event.time >= state.positions_from)


def begin_anew(floor: Floor) -> None:
    """Count on: what goes out has positions that grow, so that its readers need not know."""
    state = floor.state
    floor.anomaly("positions_restarted", ("site", state.site), said=f"the last position was {state.position}")
    state.position_base += state.position[1] + 1


def heard(floor: Floor, event: Event) -> None:
    """The newest event, to the second: the board is told no more often than that. What became of a command does not count."""
    state = floor.state
    if isinstance(event.data, events.CommandAnswered):
        return
    state.heard, state.heard_next = event.time, event.time + _STEP
    floor.touch("site", state.site)


def clock_was_set(state: SiteState) -> None:
    """The switch's clock was set. Times from before it are no measure of times after it."""
    if state.heard_next is not None and (state.positions_from is None or state.heard_next > state.positions_from):
        state.positions_from = state.heard_next
    state.heard_next = None
