"""When queues and the site are asked: a grid of whole seconds of the switch's clock, looked at only where there is reason to.

A rule over who waits and who is ready is asked at the next second after its queue changed; one over the longest wait at those
seconds at which the wait passes a number that the rule names; one over figures of the day or of the last 15 minutes at every
tenth second after a change, and every minute. A quiet floor costs one look a minute.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import Queue

FIGURES_S: Final = 10
MINUTE_S: Final = 60


def stir(floor: Floor, queue: Queue) -> None:
    """The queue changed, for the first time since rules were asked about it."""
    now = floor.state.now
    queue.stirred = queue.unsettled = True
    if now is not None:
        _plan_at(floor, _next(now, 1))


def plan(floor: Floor, now: datetime) -> None:
    """Set the timer for the next moment at which there may be something to ask."""
    rules, queues = floor.rules, floor.state.queues.values()
    if floor.state.link == "down" or not (rules.by_subject["queue"] or rules.site_figures):
        return
    if rules.site_figures or any(queue.stirred for queue in queues):
        _plan_at(floor, _next(now, 1))
        return
    if rules.every_second:
        for queue in queues:
            if queue.waiting:
                _plan_wait(floor, min(queue.waiting.values()), now)
    if rules.figures:
        settled = not any(queue.unsettled for queue in queues)
        _plan_at(floor, _next(now, MINUTE_S if settled else FIGURES_S))


def _plan_wait(floor: Floor, first: datetime, now: datetime) -> None:
    """A call waits since `first`: the next whole second at which that may make a difference."""
    if floor.rules.waits is None:
        _plan_at(floor, _next(now, 1))
        return
    for wait in floor.rules.waits:
        reached = first.timestamp() + wait
        for second in (math.ceil(reached), math.floor(reached) + 1):  # at least that long; longer
            due = datetime.fromtimestamp(second, UTC)
            if due >= now:
                _plan_at(floor, due)
                break


def _plan_at(floor: Floor, due: datetime) -> None:
    state = floor.state
    if state.link != "down" and (state.pulse_due is None or due < state.pulse_due):
        state.pulse_due = due
        floor.timer(due, "pulse", ("", ""))


def _next(now: datetime, grid_s: int) -> datetime:
    """The first whole multiple of `grid_s` seconds that is not before `now`."""
    seconds = -(-now.timestamp() // grid_s) * grid_s
    return datetime.fromtimestamp(seconds, UTC)
