"""Figures of queues. Definitions and formula ids: docs/metrics.md; the six service levels are those in use in the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct


class Counts(Struct, frozen=True):
    """Calls that left a queue, of a stretch of time. `_within`: within the threshold T; `_short`: under T_s."""

    answered: int
    answered_within: int
    abandoned: int
    abandoned_within: int
    abandoned_short: int


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


SERVICE_LEVELS: Final[Mapping[str, Callable[[Counts], float | None]]] = MappingProxyType(
    {
        "F1": lambda c: _share(c.answered_within + c.abandoned_within, c.answered + c.abandoned),
        "F2": lambda c: _share(c.answered_within, c.answered),
        "F3": lambda c: _share(c.answered_within, c.answered + c.abandoned),
        "F3s": lambda c: _share(c.answered_within, c.answered + c.abandoned - c.abandoned_short),
        "F4": lambda c: _share(c.answered_within, c.answered + c.abandoned - c.abandoned_within),
        "F5": lambda c: _share(c.answered_within + c.abandoned_short, c.answered + c.abandoned),
    }
)


def service_level(formula: str, counts: Counts) -> float | None:
    """The service level by `formula`, 0 to 1; None while no call counts. KeyError for an unknown formula."""
    return SERVICE_LEVELS[formula](counts)
