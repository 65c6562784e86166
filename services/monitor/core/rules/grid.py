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
        _plan_at(floor, _next(now.timestamp(), 1))


def plan(floor: Floor, now: datetime) -> None:
    """Set the timer for the next moment at which there may be something to ask."""
    rules = floor.rules
    if floor.state.link == "down" or not (rules.by_subject["queue"] or rules.site_figures):
        return
    stirred, settled, waiting = rules.site_figures, True, list[datetime]()
    for queue in floor.state.queues.values():
        stirred = stirred or queue.stirred
        settled = settled and not queue.unsettled
        if rules.every_second and queue.waiting:
            waiting.append(min(queue.waiting.values()))
    now_s, soonest = now.timestamp(), math.inf
    if stirred or (waiting and rules.waits is None):
        _plan_at(floor, _next(now_s, 1))
        return
    for first in waiting:
        for wait in rules.waits or ():
            second = _passed(first.timestamp() + wait, now_s)
            if second < soonest:
                soonest = second
                _plan_at(floor, second)
    if rules.figures:
        second = _next(now_s, MINUTE_S if settled else FIGURES_S)
        if second < soonest:
            _plan_at(floor, second)


def _passed(reached: float, now_s: float) -> float:
    """The next whole second at which it may make a difference that a wait passes a number at `reached`."""
    for second in (math.ceil(reached), math.floor(reached) + 1):  # at least that long; longer
        if second >= now_s:
            return second
    return math.inf


def _plan_at(floor: Floor, second: float) -> None:
    state, due = floor.state, datetime.fromtimestamp(second, UTC)
    if state.link != "down" and (state.pulse_due is None or due < state.pulse_due):
        state.pulse_due = due
        floor.timer(due, "pulse", ("", ""))


def _next(now_s: float, grid_s: int) -> float:
    """The first whole multiple of `grid_s` seconds that is not before `now_s`."""
    return -(-now_s // grid_s) * grid_s
