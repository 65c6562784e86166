"""How long agents are at something, for the books: count times elapsed, so that a change costs a subtraction and no walk."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from services.monitor.core.counting import books
from services.monitor.core.counting.metrics import HANDLING, NOT_STAFFED
from services.monitor.core.counting.tallies import Periods
from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent


def staff_changed(floor: Floor, names: Collection[str], was: str, now: str, at: datetime) -> None:
    """An agent who serves these queues is in state `now` from `at` on, no longer in `was`; "" is not serving them."""
    more_ready = (now == "ready") - (was == "ready")
    # which may end the minute
    since = _since_minute(books.running(floor, at), at) if more_ready and names else 0.0
    staffed = now not in NOT_STAFFED
    for name in names:
        queue = floor.queue(name)
        staff = queue.staff
        if more_ready:
            queue.minute.ready_s -= more_ready * since
        if staffed and not queue.was_staffed:
            books.day_of(floor, queue, books.running(floor, at))
            queue.was_staffed = True
        if was:
            staff[was] -= 1
        if now:
            staff[now] = staff.get(now, 0) + 1


def agent_changed(floor: Floor, agent: Agent, at: datetime) -> None:
    """The agent's displayed state, or the queue that it is about, is another from `at` on.

    Handling belongs to the queue of the call, whoever serves it; being ready to each queue that the agent serves, and once to
    the site.
    """
    was, now, crew = agent.counted, agent.state, floor.state.crew
    queue, shown = agent.counted_queue, agent.shown_queue
    more_ready = (now == "ready") - (was == "ready")
    leaves, takes = was in HANDLING, now in HANDLING
    if leaves and takes and queue == shown:
        leaves = takes = False
    if more_ready or leaves or takes:
        found = books.running(floor, at)
        since = _since_minute(found, at)
        if more_ready:
            crew.ready_s -= more_ready * since
        if leaves:
            _handling(floor, queue, -1, found, since)
        if takes:
            _handling(floor, shown, 1, found, since)
    if was != now:
        if was:
            crew.staff[was] -= 1
        crew.staff[now] = crew.staff.get(now, 0) + 1
        agent.counted = now
    if queue != shown:
        agent.counted_queue = shown


def agent_gone(floor: Floor, agent: Agent) -> None:
    """An agent who was off or unknown, and serves no queue, is let go."""
    if agent.counted:
        floor.state.crew.staff[agent.counted] -= 1


def _handling(floor: Floor, name: str, change: int, found: Periods, since: float) -> None:
    """One agent more or less is at a call of the queue, `since` seconds after the minute began."""
    crew = floor.state.crew
    crew.handling += change
    crew.handling_s -= change * since
    if name:
        queue = floor.queue(name)
        books.day_of(floor, queue, found)
        queue.handling += change
        queue.minute.handling_s -= change * since


def _since_minute(found: Periods, at: datetime) -> float:
    """Seconds from the minute's begin to `at`; negative for late ones, but not back into a published interval."""
    counted_from = found.counted_from
    return ((at if at >= counted_from else counted_from) - found.minute_began).total_seconds()
