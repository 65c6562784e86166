"""Figures of queues. Definitions and formula ids: docs/metrics.md; the six service levels are those in use in the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from msgspec import Struct

from services.monitor.core.counting.tallies import Tally

HANDLING: Final = frozenset({"talk", "hold", "consult", "wrap"})  # displayed states of work for a customer
NOT_STAFFED: Final = frozenset({"", "offline", "unknown"})  # of unknown ones nobody knows


class Left(Protocol):
    """Calls that left a queue, of a stretch of time. `_within`: within the threshold T; `_short`: within T_s."""

    @property
    def answered(self) -> int: ...
    @property
    def answered_within(self) -> int: ...
    @property
    def abandoned(self) -> int: ...
    @property
    def abandoned_within(self) -> int: ...
    @property
    def abandoned_short(self) -> int: ...


class Counts(Struct, frozen=True):
    """`Left` as plain numbers."""

    answered: int
    answered_within: int
    abandoned: int
    abandoned_within: int
    abandoned_short: int


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


SERVICE_LEVELS: Final[Mapping[str, Callable[[Left], float | None]]] = MappingProxyType(
    {
        "F1": lambda c: _share(c.answered_within + c.abandoned_within, c.answered + c.abandoned),
        "F2": lambda c: _share(c.answered_within, c.answered),
        "F3": lambda c: _share(c.answered_within, c.answered + c.abandoned),
        "F3s": lambda c: _share(c.answered_within, c.answered + c.abandoned - c.abandoned_short),
        "F4": lambda c: _share(c.answered_within, c.answered + c.abandoned - c.abandoned_within),
        "F5": lambda c: _share(c.answered_within + c.abandoned_short, c.answered + c.abandoned),
    }
)


def service_level(formula: str, counts: Left) -> float | None:
    """The service level by `formula`, 0 to 1; None while no call counts. KeyError for an unknown formula."""
    return SERVICE_LEVELS[formula](counts)


def service_levels(counts: Left) -> dict[str, float | None]:
    """The service level by each formula."""
    return {name: by(counts) for name, by in SERVICE_LEVELS.items()}


# ---------------------------------------------------------------- of a queue's sums; None when there is nothing to divide by


def asa_s(tally: Tally) -> float | None:
    """Average speed of answer: the mean wait of the answered."""
    return _share(tally.wait_answered_s, tally.answered)


def aht_s(tally: Tally) -> float | None:
    """Average handling time: conversations that ended and wraps that ended, per conversation."""
    return _share(tally.talk_s + tally.hold_s + tally.wrap_s, tally.handled)


def talk_s(tally: Tally) -> float | None:
    """Average conversation without hold."""
    return _share(tally.talk_s, tally.handled)


def hold_s(tally: Tally) -> float | None:
    """Average hold of a conversation."""
    return _share(tally.hold_s, tally.handled)


def wrap_s(tally: Tally) -> float | None:
    """Average after-call work per conversation."""
    return _share(tally.wrap_s, tally.handled)


def abandonment_rate(tally: Tally) -> float | None:
    """Abandoned of those who were answered or abandoned, so that an interval's is never over 1."""
    return _share(tally.abandoned, tally.answered + tally.abandoned)


def transfer_rate(tally: Tally) -> float | None:
    """Conversations that an agent asked to transfer, of those that ended."""
    return _share(tally.transfers, tally.handled)


def occupancy(handling_s: float, ready_s: float) -> float | None:
    """Handling of handling and ready."""
    return _share(handling_s, handling_s + ready_s)


def staffed(staff: Mapping[str, int]) -> int:
    """Agents who are logged on, a break included, of a count by displayed state."""
    return sum(count for state, count in staff.items() if state not in NOT_STAFFED)


def rounded(seconds: float) -> float:
    """A sum of seconds to the microsecond, which is all that its parts had."""
    return round(seconds, 6) + 0.0  # no negative zero
