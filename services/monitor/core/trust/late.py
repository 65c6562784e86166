"""Events that arrive after what followed them: their times decide, not the order of their arrival.

What ended stays ended when its beginning is told late (`Over`), and what is told of something before its beginning waits for
it (`Early`). Both are kept for `LATE`: an event that is older still is no late one but one of another clock, and adopted.
Events of the same time count in the order in which they arrive.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent, Early, Over, SiteState

LATE: Final = timedelta(seconds=60)
_MOST: Final = 1024  # of each kind
_MOST_OF_ONE: Final = 8  # told early of one leg, transfer or visit


def older(than: datetime | None, at: datetime) -> bool:
    """Whether what happened at `at` was overtaken by what happened at `than`."""
    return than is not None and at < than and than - at <= LATE


def latest(one: datetime | None, other: datetime) -> datetime:
    """The later of two moments."""
    return other if one is None or other > one else one


# ---------------------------------------------------------------- what is over


def end(over: dict[str, Over], key: str, entry: Over) -> None:
    """Remember that `key` ended; what ended longer than `LATE` ago is let go."""
    over.pop(key, None)
    over[key] = entry
    while True:
        first = next(iter(over))
        if len(over) <= _MOST and entry.at - over[first].at <= LATE:
            return
        del over[first]


def leg_is_over(state: SiteState, leg_id: str, call_id: str, at: datetime) -> bool:
    """Whether a leg that starts at `at` has already ended. In one moment a leg of that id may end and another begin."""
    over = state.over_legs.get(leg_id)
    return over is not None and (at < over.at or (at == over.at and call_id == over.call_id))


# ---------------------------------------------------------------- what is told early


def keep(floor: Floor, key: str, early: Early) -> None:
    """Hold what was told of `key` until it begins."""
    waiting = floor.state.early
    kept = waiting.pop(key, [])
    kept.append(early)
    waiting[key] = kept[-_MOST_OF_ONE:]
    while True:
        first = next(iter(waiting))
        if len(waiting) <= _MOST and early.at - waiting[first][-1].at <= LATE:
            return
        del waiting[first]


def take(floor: Floor, key: str, since: datetime) -> list[Early]:
    """What was told early of `key`, which began at `since`, in the order in which it happened."""
    return sorted((one for one in floor.state.early.pop(key, ()) if one.at >= since), key=lambda one: one.at)


def pick(
    floor: Floor, key: str, what: str, *, since: datetime | None = None, until: datetime | None = None
) -> Early | None:
    """The first `what` of `key` after `since`, or the last before `until`; it is no longer kept."""
    kept = floor.state.early.get(key, [])
    fits = [one for one in kept if one.what == what and (since or one.at) <= one.at <= (until or one.at)]
    if not fits:
        return None
    found = min(fits, key=lambda one: one.at) if until is None else max(fits, key=lambda one: one.at)
    kept.remove(found)
    if not kept:
        del floor.state.early[key]
    return found


# ---------------------------------------------------------------- a new start


def nothing_declared(agent: Agent) -> None:
    """Nobody knows what the agent declared; whatever comes next is believed, however old."""
    agent.declared, agent.reason, agent.in_wrap, agent.wrap_until = "unknown", "", False, None
    agent.on_at = agent.off_at = agent.said_at = agent.ready_at = agent.wrap_at = agent.wrap_over = None


def start_anew(state: SiteState) -> None:
    """The switch tells everything anew: nothing is late."""
    state.over.clear()
    state.over_legs.clear()
    state.early.clear()
