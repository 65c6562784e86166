"""Calls that ended lately: what still comes about one of them is late, and must not bring it back as a ghost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import SiteState

KEPT: Final = 2000
_ROOM: Final = 200  # they are let go so many at a time, which is cheaper than one by one
_USED_AGAIN: Final = timedelta(seconds=10)


def remember(state: SiteState, call_id: str, at: datetime) -> None:
    """The switch said that this call is over."""
    known = state.over.pop(call_id, None)
    state.over[call_id] = at if known is None else max(at, known)
    if len(state.over) > KEPT + _ROOM:
        for old in list(state.over)[:_ROOM]:
            del state.over[old]


def is_over(floor: Floor, call_id: str, at: datetime, *, begins: bool = False, starts: bool = False) -> bool:
    """Whether a call that is not known ended before this event, which is then counted as an anomaly.

    Ids are unique only while the call lives. So `CallStarted` (`starts`) from after the end is another call with the same
    id, and so is another event that can begin a call (`begins`) well after it.
    """
    ended = floor.state.over.get(call_id)
    if ended is None or call_id in floor.state.calls:
        return False
    if (starts and at > ended) or (begins and at > ended + _USED_AGAIN):
        del floor.state.over[call_id]
        return False
    floor.anomaly("call_is_over", ("call", call_id))
    return True
