"""How long agents are at something, for the books: count times elapsed, so that a change costs a subtraction and no walk."""

from __future__ import annotations

from datetime import datetime

from services.monitor.core.counting import books
from services.monitor.core.counting.metrics import HANDLING, NOT_STAFFED
from services.monitor.core.counting.tallies import Periods
from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent, Queue


def staff_changed(floor: Floor, queue: Queue, was: str, now: str, at: datetime) -> None:
    """An agent who serves this queue is in state `now` from `at` on, no longer in `was`; "" is not serving it."""
    staff = queue.staff
    if was == "ready" or now == "ready":
        since = _since_minute(books.running(floor, at), at)  # which may end the minute
        queue.minute.ready_s -= _change(was, now) * since
    if now not in NOT_STAFFED and not queue.was_staffed:
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
    was, now, queue = agent.counted, agent.state, agent.counted_queue
    crew = floor.state.crew
    if was == "ready" or now == "ready":
        since = _since_minute(books.running(floor, at), at)
        crew.ready_s -= _change(was, now) * since
    elsewhere = queue != agent.shown_queue
    if was in HANDLING and (elsewhere or now not in HANDLING):
        _handling(floor, queue, -1, at)
    if now in HANDLING and (elsewhere or was not in HANDLING):
        _handling(floor, agent.shown_queue, 1, at)
    if was != now:
        if was:
            crew.staff[was] -= 1
        crew.staff[now] = crew.staff.get(now, 0) + 1
    agent.counted, agent.counted_queue = now, agent.shown_queue


def agent_gone(floor: Floor, agent: Agent) -> None:
    """An agent who was off or unknown, and serves no queue, is let go."""
    if agent.counted:
        floor.state.crew.staff[agent.counted] -= 1


def _change(was: str, now: str) -> int:
    """How many more are ready."""
    return (now == "ready") - (was == "ready")


def _handling(floor: Floor, name: str, change: int, at: datetime) -> None:
    found, crew = books.running(floor, at), floor.state.crew
    since = _since_minute(found, at)
    crew.handling += change
    crew.handling_s -= change * since
    if name:
        queue = floor.queue(name)
        books.day_of(floor, queue, found)
        queue.handling += change
        queue.minute.handling_s -= change * since


def _since_minute(found: Periods, at: datetime) -> float:
    """Seconds from the minute's begin to `at`; negative for late ones, but not back into a published interval."""
    return (max(at, found.counted_from) - found.minute_began).total_seconds()
