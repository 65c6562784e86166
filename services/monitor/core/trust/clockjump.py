"""The switch's clock was set: what runs moves with it, so that nothing gets older or younger by it.

Every time in the state moves by as much, so that a wait of 20 s before is one of 20 s after, no deadline comes nearer, and raised
flags stay what they are. Two things do not move: what was published, and the calendar. The running 15 minutes end early, by
the old clock, and counting goes on in those that the new clock shows; hours in which rules apply are looked up anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from services.monitor.core.counting import books
from services.monitor.core.counting.tallies import Day, Periods, Stretch
from services.monitor.core.floor import Floor
from services.monitor.core.rules import pulse, watching
from services.monitor.core.state import Anomaly, SiteState, Timer
from services.monitor.core.trust import positions
from shared import events
from shared.events import Event
from shared.timeshift import move_times

# Marks come over another connection than events, so one that knows nothing of a jump may still be on its way. Later than this
# it is ingest that has forgotten the jump.
MARKS_ON_THEIR_WAY: Final = timedelta(seconds=10)

_CALENDAR: Final = frozenset({"step", "hours", "pulse"})  # timers of the switch's wall clock, set anew
_KEPT: Final[Mapping[type[Struct], frozenset[str]]] = MappingProxyType(
    {
        SiteState: frozenset({"now", "link_heard", "jump_heard", "heard", "heard_next", "positions_from", "timers"}),
        Periods: frozenset(),
        Day: frozenset(),
        Stretch: frozenset(),
        Anomaly: frozenset(),
    }
)


def before(event: Event, data: events.ClockJumped) -> datetime:
    """What the switch's clock would show had it not been set."""
    return event.time - timedelta(seconds=data.by_s)


def usable(state: SiteState, mark: Event, data: events.Clock) -> bool:
    """Whether the mark's time is of the clock that the state is on."""
    if data.jump == state.jump_offset or state.position[1] < 0:
        return True
    if data.jump > state.position[1]:
        return False  # it overtook the word of the jump
    if data.jump > state.jump_offset or state.jump_heard is None or mark.receivedtime is None:
        return True
    return mark.receivedtime > state.jump_heard + MARKS_ON_THEIR_WAY


def jumped(floor: Floor, event: Event, data: events.ClockJumped) -> None:
    """Go on at the new time; until now the state was brought to what the old clock showed then."""
    state, old, new = floor.state, before(event, data), event.time
    by = new - old
    if not by:
        return
    said = f"the clock went from {old.isoformat()} to {new.isoformat()}, {data.by_s:+.3f} s"
    floor.anomaly("clock_jump", ("site", state.site), said=said)
    state.clock_jumps += 1
    state.jump_offset, state.jump_heard = event.rawoffset, event.receivedtime
    begins = state.began == new  # with this word, and so by the new clock
    move_times(state, lambda at: at + by, _KEPT)
    state.began = new if begins else state.began
    kept = (timer for timer in state.timers if timer.what not in _CALENDAR)
    state.timers = [Timer(timer.due + by, timer.generation, timer.what, timer.about) for timer in kept]
    heapq.heapify(state.timers)
    state.now = new
    _books(floor, old, new)
    _hours(floor, new)
    positions.clock_was_set(state)
    state.heard = new
    _touch_everything(floor)


def _books(floor: Floor, old: datetime, new: datetime) -> None:
    books.reopen(floor, old, new)
    found = floor.state.periods
    if found is not None and found.day_from > new:  # set back to before this day began to be counted
        found.day_from = new
    for queue in floor.state.queues.values():
        if queue.day is not None and queue.day.counted_from > new:
            queue.day.counted_from = new


def _hours(floor: Floor, new: datetime) -> None:
    """Which rules apply at the new time. To a rule whose hours begin with the jump, what holds begins to hold now."""
    state = floor.state
    were_open = {name: window.open for name, window in state.windows.items()}
    pulse.begin(floor, new)
    for name, window in state.windows.items():
        if were_open.get(name, window.open) != window.open:
            watching.ask_everybody(floor, floor.rules.armed[name], new)


def _touch_everything(floor: Floor) -> None:
    state = floor.state
    floor.cards.clear()
    floor.touch("site", state.site)
    for agent_id in state.agents:
        floor.touch("agent", agent_id)
    for call_id in state.calls:
        floor.touch("call", call_id)
    for transfer_id in state.transfers:
        floor.touch("transfer", transfer_id)
    for queue in state.queues:
        floor.touch("queue", queue)
    for flag_id in state.flags:
        floor.touch("flag", flag_id)
