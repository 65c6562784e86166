"""The figures of a queue and of a site as rules and pages ask for them: by name, each worked out only when it is asked for.

Counts are of the site's day, `recent_` ones of the last 15 minutes; durations are seconds, rates 0 to 1. A figure that does
not exist (no call answered, so no average) is None, never 0. Definitions: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from types import MappingProxyType
from typing import Final

from services.monitor.core.counting import metrics
from services.monitor.core.counting.tallies import Tally
from services.monitor.core.floor import Floor
from services.monitor.core.state import Queue

Value = float | int | str | None


# ---------------------------------------------------------------- sums of a queue


def minute(queue: Queue, elapsed: float | None) -> Tally:
    """The running minute, with the time of those who are at it for `elapsed` seconds of it; None leaves all such time out."""
    tally = copy(queue.minute)
    if elapsed is None:
        tally.handling_s = tally.ready_s = 0.0
    else:
        tally.handling_s += queue.handling * elapsed
        tally.ready_s += queue.staff.get("ready", 0) * elapsed
    return tally


def interval(queue: Queue, elapsed: float | None = None) -> Tally:
    """The sums of the running interval."""
    tally = minute(queue, elapsed)
    tally.add(queue.interval)
    return tally


def today(queue: Queue, elapsed: float | None = None) -> Tally:
    """The sums of the day."""
    tally = interval(queue, elapsed)
    if queue.day is not None:
        tally.add(queue.day.tally)
    return tally


def recent(queue: Queue, elapsed: float | None = None) -> Tally:
    """The sums of the last 15 minutes: the running one and 14 before it."""
    tally = minute(queue, elapsed)
    tally.add(queue.recent)
    return tally


def elapsed_s(floor: Floor, now: datetime) -> float:
    """How much of the running minute is over."""
    found = floor.state.periods
    return max(0.0, (now - found.minute_began).total_seconds()) if found is not None and not found.idle else 0.0


# ---------------------------------------------------------------- by name


class AskedQueue:
    """A queue at a moment, of which `QUEUE_FIGURES` tell by name."""

    __slots__ = ("_recent", "_today", "floor", "now", "queue")

    def __init__(self, floor: Floor, queue: Queue, now: datetime) -> None:
        self.floor, self.queue, self.now = floor, queue, now
        self._recent: Tally | None = None
        self._today: Tally | None = None

    def in_state(self, state: str) -> int:
        return self.queue.staff.get(state, 0)

    @property
    def today(self) -> Tally:
        if self._today is None:
            self._today = today(self.queue, elapsed_s(self.floor, self.now))
        return self._today

    @property
    def recent(self) -> Tally:
        if self._recent is None:
            self._recent = recent(self.queue, elapsed_s(self.floor, self.now))
        return self._recent

    def service_level(self, tally: Tally) -> float | None:
        return metrics.service_level(self.floor.config.queue(self.queue.queue).service_level.formula, tally)


def _longest_wait(asked: AskedQueue) -> float | None:
    first = min(asked.queue.waiting.values(), default=None)
    return None if first is None else max(0.0, (asked.now - first).total_seconds())


QUEUE_FIGURES: Final[Mapping[str, Callable[[AskedQueue], Value]]] = MappingProxyType(
    {
        "waiting": lambda asked: len(asked.queue.waiting),
        "longest_wait_s": _longest_wait,
        "offline": lambda asked: asked.in_state("offline"),
        "ready": lambda asked: asked.in_state("ready"),
        "ringing": lambda asked: asked.in_state("ringing"),
        "talk": lambda asked: asked.in_state("talk"),
        "hold": lambda asked: asked.in_state("hold"),
        "consult": lambda asked: asked.in_state("consult"),
        "wrap": lambda asked: asked.in_state("wrap"),
        "on_break": lambda asked: asked.in_state("break"),
        "unknown": lambda asked: asked.in_state("unknown"),
        "staffed": lambda asked: metrics.staffed(asked.queue.staff),
        "offered": lambda asked: asked.today.offered,
        "answered": lambda asked: asked.today.answered,
        "abandoned": lambda asked: asked.today.abandoned,
        "abandonment_rate": lambda asked: metrics.abandonment_rate(asked.today),
        "service_level": lambda asked: asked.service_level(asked.today),
        "service_level_target": lambda asked: asked.floor.config.queue(asked.queue.queue).service_level.target,
        "asa_s": lambda asked: metrics.asa_s(asked.today),
        "aht_s": lambda asked: metrics.aht_s(asked.today),
        "occupancy": lambda asked: metrics.occupancy(asked.today.handling_s, asked.today.ready_s),
        "recent_offered": lambda asked: asked.recent.offered,
        "recent_answered": lambda asked: asked.recent.answered,
        "recent_abandoned": lambda asked: asked.recent.abandoned,
        "recent_service_level": lambda asked: asked.service_level(asked.recent),
        "recent_abandonment_rate": lambda asked: metrics.abandonment_rate(asked.recent),
        "recent_asa_s": lambda asked: metrics.asa_s(asked.recent),
        "recent_occupancy": lambda asked: metrics.occupancy(asked.recent.handling_s, asked.recent.ready_s),
    }
)


class AskedSite:
    """A site at a moment, of which `SITE_FIGURES` tell by name. Agents are counted once, however many queues they serve."""

    __slots__ = ("_totals", "floor", "now")

    def __init__(self, floor: Floor, now: datetime) -> None:
        self.floor, self.now = floor, now
        self._totals: Tally | None = None

    @property
    def staff(self) -> dict[str, int]:
        """Agents by displayed state. Who was only heard of in passing is not in the books yet, and unknown."""
        state = self.floor.state
        found = {name: count for name, count in state.crew.staff.items() if count and name != "unknown"}
        unknown = len(state.agents) - sum(found.values())
        return {**found, "unknown": unknown} if unknown else found

    def in_state(self, state: str) -> int:
        return self.staff.get(state, 0)

    @property
    def staffed(self) -> int:
        return metrics.staffed(self.floor.state.crew.staff)

    @property
    def waiting(self) -> int:
        return sum(len(queue.waiting) for queue in self.floor.state.queues.values())

    @property
    def totals(self) -> Tally:
        if self._totals is None:
            self._totals = Tally()
            for queue in self.floor.state.queues.values():
                self._totals.add(today(queue))
        return self._totals

    @property
    def occupancy(self) -> float | None:
        crew, elapsed = self.floor.state.crew, elapsed_s(self.floor, self.now)
        handling, ready = crew.handling * elapsed, crew.staff.get("ready", 0) * elapsed
        return metrics.occupancy(crew.handling_s + handling, crew.ready_s + ready)


SITE_FIGURES: Final[Mapping[str, Callable[[AskedSite], Value]]] = MappingProxyType(
    {
        "waiting": lambda asked: asked.waiting,
        "calls": lambda asked: len(asked.floor.state.calls),
        "offline": lambda asked: asked.in_state("offline"),
        "ready": lambda asked: asked.in_state("ready"),
        "ringing": lambda asked: asked.in_state("ringing"),
        "talk": lambda asked: asked.in_state("talk"),
        "hold": lambda asked: asked.in_state("hold"),
        "consult": lambda asked: asked.in_state("consult"),
        "wrap": lambda asked: asked.in_state("wrap"),
        "on_break": lambda asked: asked.in_state("break"),
        "unknown": lambda asked: asked.in_state("unknown"),
        "staffed": lambda asked: asked.staffed,
        "offered": lambda asked: asked.totals.offered,
        "answered": lambda asked: asked.totals.answered,
        "abandoned": lambda asked: asked.totals.abandoned,
        "occupancy": lambda asked: asked.occupancy,
    }
)
