"""The figures of a queue and of a site as rules ask for them: by name, each worked out only when it is asked for.

Counts are of the site's day, `recent_` ones of the last 15 minutes; durations are seconds, rates 0 to 1. A figure that does
not exist (no call answered, so no average) is None, never 0. Definitions: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from services.monitor.core.floor import Floor
from services.monitor.core.metrics import service_level
from services.monitor.core.queues import counts_of
from services.monitor.core.state import Queue

Value = float | int | str | None
Subject = TypeVar("Subject")


class Figures(Mapping[str, Value], Generic[Subject]):
    """A subject's figures at one moment. KeyError for a name that is none."""

    __slots__ = ("_how", "_subject")

    def __init__(self, subject: Subject, how: Mapping[str, Callable[[Subject], Value]]) -> None:
        self._subject, self._how = subject, how

    def __getitem__(self, name: str) -> Value:
        return self._how[name](self._subject)

    def __iter__(self) -> Iterator[str]:
        return iter(self._how)

    def __len__(self) -> int:
        return len(self._how)


class _AskedQueue:
    """A queue at a moment."""

    __slots__ = ("day", "floor", "now", "queue")

    def __init__(self, floor: Floor, queue: Queue, now: datetime) -> None:
        self.floor, self.queue, self.now = floor, queue, now
        self.day = queue.day

    def in_state(self, state: str) -> int:
        return self.queue.staff.get(state, 0)


def staffed(staff: Mapping[str, int]) -> int:
    """Agents who are logged on, a break included. Of unknown ones nobody knows."""
    return sum(count for state, count in staff.items() if state not in ("offline", "unknown"))


def _longest_wait(asked: _AskedQueue) -> float | None:
    first = min(asked.queue.waiting.values(), default=None)
    return None if first is None else max(0.0, (asked.now - first).total_seconds())


def _service_level(asked: _AskedQueue) -> float | None:
    formula = asked.floor.config.queue(asked.queue.queue).service_level.formula
    return service_level(formula, counts_of(asked.day)) if asked.day else None


QUEUE_FIGURES: Final[Mapping[str, Callable[[_AskedQueue], Value]]] = MappingProxyType(
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
        "staffed": lambda asked: staffed(asked.queue.staff),
        "offered": lambda asked: asked.day.offered if asked.day else 0,
        "answered": lambda asked: asked.day.answered if asked.day else 0,
        "abandoned": lambda asked: asked.day.abandoned if asked.day else 0,
        "abandonment_rate": lambda asked: None,
        "service_level": _service_level,
        "service_level_target": lambda asked: asked.floor.config.queue(asked.queue.queue).service_level.target,
        "asa_s": lambda asked: None,
        "aht_s": lambda asked: None,
        "occupancy": lambda asked: None,
        "recent_offered": lambda asked: 0,
        "recent_answered": lambda asked: 0,
        "recent_abandoned": lambda asked: 0,
        "recent_service_level": lambda asked: None,
        "recent_abandonment_rate": lambda asked: None,
        "recent_asa_s": lambda asked: None,
        "recent_occupancy": lambda asked: None,
    }
)


def queue_figures(floor: Floor, queue: Queue, now: datetime) -> Mapping[str, Value]:
    """The figures of `queue` at `now`, by the names of `QUEUE_FIGURES`."""
    return Figures(_AskedQueue(floor, queue, now), QUEUE_FIGURES)


class _AskedSite:
    """A site at a moment. Agents are counted once, however many queues they serve."""

    __slots__ = ("_staff", "floor", "now")

    def __init__(self, floor: Floor, now: datetime) -> None:
        self.floor, self.now = floor, now
        self._staff: dict[str, int] | None = None

    @property
    def staff(self) -> dict[str, int]:
        if self._staff is None:
            self._staff = {}
            for agent in self.floor.state.agents.values():
                self._staff[agent.state] = self._staff.get(agent.state, 0) + 1
        return self._staff

    def total(self, name: str) -> int:
        return sum(getattr(queue.day, name) for queue in self.floor.state.queues.values() if queue.day)


SITE_FIGURES: Final[Mapping[str, Callable[[_AskedSite], Value]]] = MappingProxyType(
    {
        "waiting": lambda asked: sum(len(queue.waiting) for queue in asked.floor.state.queues.values()),
        "calls": lambda asked: len(asked.floor.state.calls),
        "offline": lambda asked: asked.staff.get("offline", 0),
        "ready": lambda asked: asked.staff.get("ready", 0),
        "ringing": lambda asked: asked.staff.get("ringing", 0),
        "talk": lambda asked: asked.staff.get("talk", 0),
        "hold": lambda asked: asked.staff.get("hold", 0),
        "consult": lambda asked: asked.staff.get("consult", 0),
        "wrap": lambda asked: asked.staff.get("wrap", 0),
        "on_break": lambda asked: asked.staff.get("break", 0),
        "unknown": lambda asked: asked.staff.get("unknown", 0),
        "staffed": lambda asked: staffed(asked.staff),
        "offered": lambda asked: asked.total("offered"),
        "answered": lambda asked: asked.total("answered"),
        "abandoned": lambda asked: asked.total("abandoned"),
        "occupancy": lambda asked: None,
    }
)


def site_figures(floor: Floor, now: datetime) -> Mapping[str, Value]:
    """The totals of a site at `now`, by the names of `SITE_FIGURES`."""
    return Figures(_AskedSite(floor, now), SITE_FIGURES)
