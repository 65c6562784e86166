"""How bad a finished transfer was. Pure.

The worst are those that never reached anybody and those over the limit of the rule `slow_transfer`: a failed transfer is no
missing value. Among them the longer one is worse, and what cannot be told for certain is between them and the rest.
"""

from __future__ import annotations

from typing import Final

from shared.facts import TransferEnded, Verdict

WORST: Final = 2
DOUBTFUL: Final = 1
FINE: Final = 0


def took_us(transfer: TransferEnded) -> int:
    """Microseconds from the request to the bridge, or to the end where there was none."""
    until = transfer.bridged_at or transfer.ended_at
    return max(0, round((until - transfer.requested_at).total_seconds() * 1_000_000))


def slow(transfer: TransferEnded, limit_s: float | None) -> Verdict:
    """Whether it took longer than it may, also when it failed. The record's own word counts, where it has one.

    Both stamps are cut off at the clock's precision p, so t seconds say only that it took between t - p and t + p.
    """
    if transfer.slow is not None:
        return transfer.slow
    if limit_s is None:
        return "no"
    took_s, precision_s = took_us(transfer) / 1_000_000, transfer.precision_ms / 1000
    if precision_s and took_s - precision_s < limit_s < took_s + precision_s:
        return "cannot_tell"
    return "yes" if took_s > limit_s else "no"


def tier(transfer: TransferEnded, verdict: Verdict) -> int:
    """WORST, DOUBTFUL or FINE."""
    if verdict == "yes" or transfer.outcome in ("failed", "abandoned"):
        return WORST
    return DOUBTFUL if verdict == "cannot_tell" else FINE
