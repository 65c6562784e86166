"""What rules need of time: queues and the site asked on a grid of the switch's clock, and the hours in which rules apply.

Outside its hours a rule watches nothing. What holds when they begin begins to hold then; what holds when they end ends.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.rules import grid, watching
from services.monitor.core.rules.rulebook import Armed
from services.monitor.core.rules.rulefacts import Facts
from services.monitor.core.state import Queue, Timer, Window

_MICROSECOND: Final = timedelta(microseconds=1)


def begin(floor: Floor, at: datetime, changed: Collection[str] | None = None) -> None:
    """Time begins at `at`, or the clock was set: set every timer of this module anew.

    Where rules are read anew, only the hours of those that `changed`: what begins or ends in this very moment is still to be
    told to the others, by the timer that waits for it.
    """
    state = floor.state
    names = {armed.name for armed in floor.rules.armed.values() if armed.hours is not None}
    state.windows = {name: window for name, window in state.windows.items() if name in names}
    for armed in floor.rules.armed.values():
        if armed.hours is not None and (changed is None or armed.name in changed):
            opened = armed.hours.open_at(at, floor.config.zone)
            state.windows[armed.name] = Window(opened, _at_next_change(floor, armed, at))
    state.pulse_due = None
    for queue in state.queues.values():
        queue.stirred = queue.unsettled = True
    grid.plan(floor, at)


# ---------------------------------------------------------------- hours


def hours_changed(floor: Floor, timer: Timer) -> None:
    """A rule's hours begin or end. To the rule what holds then begins to hold, or ends, with them."""
    name, at = timer.about[0], timer.due
    armed, window = floor.rules.armed.get(name), floor.state.windows.get(name)
    if armed is None or armed.hours is None or window is None or window.generation != timer.generation:
        return
    window.open = armed.hours.open_at(at, floor.config.zone)
    window.generation = _at_next_change(floor, armed, at)
    watching.ask_everybody(floor, armed, at)


def _at_next_change(floor: Floor, armed: Armed, at: datetime) -> int:
    assert armed.hours is not None
    due = armed.hours.next_change(at, floor.config.zone)
    return 0 if due is None else floor.timer(due, "hours", (armed.name, ""))


# ---------------------------------------------------------------- the grid


def fired(floor: Floor, timer: Timer) -> None:
    """A whole second has come that was waited for."""
    state = floor.state
    if timer.due != state.pulse_due or state.now is None:
        return
    state.pulse_due = None
    if state.link == "down":
        return  # nothing is known; `begin` goes on when it is up
    at = state.now
    second = round(at.timestamp())
    figures, minute = second % grid.FIGURES_S == 0, second % grid.MINUTE_S == 0
    for queue in state.queues.values():
        _ask_queue(floor, queue, at, figures=(figures and queue.unsettled) or minute)
    if floor.rules.site_figures:
        watching.ask_site(floor, at, on_grid=True)
    grid.plan(floor, at + _MICROSECOND)


def _ask_queue(floor: Floor, queue: Queue, at: datetime, *, figures: bool) -> None:
    waits = bool(queue.waiting)
    stirred, queue.stirred = queue.stirred, False
    if not (stirred or waits or figures):
        return
    name, found = queue.queue, None
    mine = floor.watched["queue"].get(name)
    for armed in floor.rules.by_subject["queue"]:
        if figures if armed.figures else (stirred or (waits and armed.every_second)):
            if found is None and not armed.direct:
                found = Facts(floor, "queue", queue, at)
            holds = armed.holds(found, queue)
            running = mine.get(armed.name) if mine else None
            if holds or running is not None:
                watching.answered(floor, armed, running, name, queue, at, holds=holds)
    if figures:
        queue.unsettled = False
