"""Figures of queues. Definitions: docs/metrics.md; service levels: `shared.servicelevels`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.monitor.core.counting.tallies import Tally
from shared.servicelevels import service_level, service_levels, share

__all__ = ["service_level", "service_levels"]

HANDLING: Final = frozenset({"talk", "hold", "consult", "wrap"})  # displayed states of work for a customer
NOT_STAFFED: Final = frozenset({"", "offline", "unknown"})  # of unknown ones nobody knows


# ---------------------------------------------------------------- of a queue's sums; None when there is nothing to divide by


def asa_s(tally: Tally) -> float | None:
    """Average speed of answer: the mean wait of the answered."""
    return share(tally.wait_answered_s, tally.answered)


def aht_s(tally: Tally) -> float | None:
    """Average handling time: conversations that ended and wraps that ended, per conversation."""
    return share(tally.talk_s + tally.hold_s + tally.wrap_s, tally.handled)


def talk_s(tally: Tally) -> float | None:
    """Average conversation without hold."""
    return share(tally.talk_s, tally.handled)


def hold_s(tally: Tally) -> float | None:
    """Average hold of a conversation."""
    return share(tally.hold_s, tally.handled)


def wrap_s(tally: Tally) -> float | None:
    """Average after-call work per conversation."""
    return share(tally.wrap_s, tally.handled)


def abandonment_rate(tally: Tally) -> float | None:
    """Abandoned of those who were answered or abandoned, so that an interval's is never over 1."""
    return share(tally.abandoned, tally.answered + tally.abandoned)


def transfer_rate(tally: Tally) -> float | None:
    """Conversations that an agent asked to transfer, of those that ended."""
    return share(tally.transfers, tally.handled)


def occupancy(handling_s: float, ready_s: float) -> float | None:
    """Handling of handling and ready."""
    return share(handling_s, handling_s + ready_s)


def staffed(staff: Mapping[str, int]) -> int:
    """Agents who are logged on, a break included, of a count by displayed state."""
    return sum(count for state, count in staff.items() if state not in NOT_STAFFED)


def rounded(seconds: float) -> float:
    """A sum of seconds to the microsecond, which is all that its parts had."""
    return round(seconds, 6) + 0.0  # no negative zero
