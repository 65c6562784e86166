"""A site's figures as a monitoring system asks for them every few seconds: counts that are at hand, nothing worked out."""

from __future__ import annotations

from msgspec import Struct

from services.monitor.core.counting import figures, metrics
from services.monitor.core.floor import Floor
from services.monitor.core.state import Queue


class QueueGauges(Struct, frozen=True):
    """A queue now, and its calls of the site's day. `longest_wait_s` is 0 when nobody waits."""

    queue: str
    waiting: int
    longest_wait_s: float
    staffed: int  # logged on, on break included
    offered: int
    answered: int
    abandoned: int
    answered_within: int  # within the time of the queue's service level


class SiteGauges(Struct, frozen=True):
    """A site now. While `link_up` is False everything is from before, and what is of the present should not be shown."""

    site: str
    link_up: bool
    agents: dict[str, int]  # by displayed state
    calls: int
    flags: dict[str, int]  # standing ones by severity
    queues: tuple[QueueGauges, ...]


def of_site(floor: Floor) -> SiteGauges:
    """The site's, as of its newest event or mark."""
    state = floor.state
    flags = {"info": 0, "warning": 0, "critical": 0}
    for flag in state.flags.values():
        flags[flag.severity] += 1
    return SiteGauges(
        site=state.site,
        link_up=state.link == "up",
        agents=figures.AskedSite(floor, state.now).staff if state.now is not None else {},
        calls=len(state.calls),
        flags=flags,
        queues=tuple(_of_queue(floor, queue) for queue in state.queues.values()),
    )


def _of_queue(floor: Floor, queue: Queue) -> QueueGauges:
    tally, now = figures.today(queue), floor.state.now
    first = min(queue.waiting.values(), default=None)
    return QueueGauges(
        queue=queue.queue,
        waiting=len(queue.waiting),
        longest_wait_s=max(0.0, (now - first).total_seconds()) if first is not None and now is not None else 0.0,
        staffed=metrics.staffed(queue.staff),
        offered=tally.offered,
        answered=tally.answered,
        abandoned=tally.abandoned,
        answered_within=tally.answered_within,
    )
