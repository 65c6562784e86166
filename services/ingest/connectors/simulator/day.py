"""The course of a day: how many call, when people pause, and every chance the floor takes."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from random import Random

HOUR = 3600.0
DAY = 24 * HOUR

# From this hour on, the load as a share of a busy morning's.
_LOAD: tuple[tuple[float, float], ...] = (
    (0.0, 0.03),
    (6.0, 0.04),
    (7.5, 0.35),
    (8.5, 0.8),
    (9.0, 1.0),
    (11.5, 0.82),
    (13.5, 1.0),
    (16.5, 0.7),
    (17.5, 0.3),
    (18.5, 0.12),
    (21.5, 0.05),
)
_LOAD_HOURS = [hour for hour, _ in _LOAD]

INBOUND_EVERY_S = 3.3  # at full load; with outbound calls one call about every 2.5 s
OUTBOUND_EVERY_S = 11.0
BURST_EVERY_S = 600.0  # a mailing, a fault, an advertisement: one queue is called by many at once
QUEUE_SHARE = {"sales": 0.34, "support": 0.35, "billing": 0.2, "complaints": 0.11}

TRANSFER_SHARE = 0.15  # of conversations; one transfer about every 20 s
TRANSFER_KINDS = {"blind": 0.4, "attended": 0.4, "queue": 0.2}


@dataclass(frozen=True, slots=True)
class Break:
    """A break: seconds since midnight of the shift's day, its reason, and how long it will really take. One that is not
    planned but `ordered` ends when a supervisor says so, and at the end of the shift."""

    at_s: float
    reason: str
    lasts_s: float
    ordered: bool = False


def load(now_s: float) -> float:
    """The load at `now_s` (seconds since the first midnight), 0 to 1."""
    return _LOAD[bisect_right(_LOAD_HOURS, now_s % DAY / HOUR) - 1][1]


def breaks(chance: Chance, starts_h: float, ends_h: float) -> list[Break]:
    """The breaks of one shift in order: tea about every hour, lunch, now and then training or a meeting."""
    planned: list[Break] = []
    lunch_h = starts_h + 3.6 + chance.between(0, 1.6)
    extra_h = starts_h + chance.between(1.0, ends_h - starts_h - 1.5) if chance.happens(0.35) else math.inf
    at_h = starts_h + chance.between(0.5, 1.3)
    while at_h < ends_h - 0.5:
        if at_h >= lunch_h:
            planned.append(Break(at_h * HOUR, "lunch", chance.between(24 * 60, 34 * 60)))
            lunch_h = math.inf
        elif at_h >= extra_h:
            reason = "training" if chance.happens(0.5) else "meeting"
            planned.append(Break(at_h * HOUR, reason, chance.between(14 * 60, 40 * 60)))
            extra_h = math.inf
        else:
            late = chance.happens(0.25)
            planned.append(Break(at_h * HOUR, "tea", chance.between(930, 1260) if late else chance.between(300, 800)))
        at_h += planned[-1].lasts_s / HOUR + chance.between(0.8, 1.3)
    return planned


class Chance:
    """Every draw comes from here, so that a seed decides the day."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def happens(self, share: float) -> bool:
        """True in `share` of all cases."""
        return self._random.random() < share

    def between(self, low: float, high: float) -> float:
        """Seconds, evenly."""
        return self._random.uniform(low, high)

    def around(self, median: float, spread: float, longest: float) -> float:
        """Seconds as people take them: log-normal, most near the median, some much longer."""
        return min(longest, median * math.exp(self._random.gauss(0.0, spread)))

    def gap(self, mean: float) -> float:
        """Seconds to the next of things that happen independently, `mean` apart."""
        return self._random.expovariate(1.0 / mean)

    def one_of(self, shares: dict[str, float]) -> str:
        """A key, by its share."""
        return self._random.choices(tuple(shares), tuple(shares.values()))[0]

    def number(self) -> str:
        """A caller's number from ranges that are reserved for fiction or not in use."""
        kind = self._random.random()
        if kind < 0.7:
            return f"+86100000{self._random.randrange(10_000):04d}"
        if kind < 0.85:
            return f"+447700900{self._random.randrange(1000):03d}"
        return f"+1202555{100 + self._random.randrange(100):04d}"
