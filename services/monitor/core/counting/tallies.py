"""What figures are kept in: sums, so that stretches of time add up and no average is ever averaged.

They are part of the state. Arrays on the wire, because a checkpoint holds a hundred of them for each queue.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field


class Tally(Struct, array_like=True, gc=False):
    """A queue's sums over a stretch of time; the meaning of each: `shared.facts.QueueInterval`.

    In a running minute `handling_s` and `ready_s` lack the time of those who are at it now: see `figures.minute`.
    """

    offered: int = 0
    answered: int = 0
    answered_within: int = 0
    abandoned: int = 0
    abandoned_within: int = 0
    abandoned_short: int = 0
    other_ended: int = 0
    handled: int = 0
    transfers: int = 0
    wait_answered_s: float = 0.0
    wait_abandoned_s: float = 0.0
    longest_waited_s: float | None = None
    talk_s: float = 0.0
    hold_s: float = 0.0
    wrap_s: float = 0.0
    handling_s: float = 0.0
    ready_s: float = 0.0

    def add(self, other: Tally) -> None:
        """Make this the sums of both stretches."""
        self.offered += other.offered
        self.answered += other.answered
        self.answered_within += other.answered_within
        self.abandoned += other.abandoned
        self.abandoned_within += other.abandoned_within
        self.abandoned_short += other.abandoned_short
        self.other_ended += other.other_ended
        self.handled += other.handled
        self.transfers += other.transfers
        self.wait_answered_s += other.wait_answered_s
        self.wait_abandoned_s += other.wait_abandoned_s
        if other.longest_waited_s is not None:
            self.longest_waited_s = max(self.longest_waited_s or 0.0, other.longest_waited_s)
        self.talk_s += other.talk_s
        self.hold_s += other.hold_s
        self.wrap_s += other.wrap_s
        self.handling_s += other.handling_s
        self.ready_s += other.ready_s

    def counted(self) -> bool:
        """Whether there is anything in it."""
        return self != _NOTHING


_NOTHING = Tally()


class Stretch(Struct, array_like=True, gc=False):
    """A finished stretch of a queue's time, a minute or an interval."""

    started: datetime
    ended: datetime
    tally: Tally
    counted_from: datetime | None = None  # of an interval; later than `started` when we began to listen in between


class Day(Struct, gc=False):
    """A queue's day at the site: its finished intervals and their sums."""

    day: str
    counted_from: datetime
    within_s: float  # the thresholds that all of it is counted by
    short_abandon_s: float
    tally: Tally = field(default_factory=Tally)
    intervals: list[Stretch] = field(default_factory=list)


class Periods(Struct, gc=False):
    """The day, interval and minute that a site is in. Minutes never reach over an interval's end, nor intervals over midnight."""

    day: str
    day_began: datetime
    day_ends: datetime
    day_from: datetime  # since when the day is counted
    interval_began: datetime
    interval_ends: datetime
    counted_from: datetime  # since when the interval is counted
    minute_began: datetime
    minute_ends: datetime
    due: datetime  # of the timer that ends the minute, or the day when the floor is idle
    idle: bool = False  # nobody works, nobody waits: minutes are not stepped through


class Today(Struct, array_like=True, gc=False):
    """An agent's sums since midnight at the site. `state_s`: displayed state -> seconds, of finished stretches."""

    since: datetime
    state_s: dict[str, float] = field(default_factory=dict)
    handled: int = 0
    missed: int = 0
    transfers: int = 0
    talk_s: float = 0.0
    hold_s: float = 0.0


class Crew(Struct, gc=False):
    """The agents of a site, each counted once. Seconds are of the day, up to the running minute as in `Tally`."""

    staff: dict[str, int] = field(default_factory=dict)  # displayed state -> agents
    ready_s: float = 0.0
    handling_s: float = 0.0
    handling: int = 0  # agents at it now
