"""The six service levels that are in use in the field. Definitions and formula ids: docs/metrics.md. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from msgspec import Struct


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


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`; None when there is nothing to divide by."""
    return part / whole if whole > 0 else None


SERVICE_LEVELS: Final[Mapping[str, Callable[[Left], float | None]]] = MappingProxyType(
    {
        "F1": lambda c: share(c.answered_within + c.abandoned_within, c.answered + c.abandoned),
        "F2": lambda c: share(c.answered_within, c.answered),
        "F3": lambda c: share(c.answered_within, c.answered + c.abandoned),
        "F3s": lambda c: share(c.answered_within, c.answered + c.abandoned - c.abandoned_short),
        "F4": lambda c: share(c.answered_within, c.answered + c.abandoned - c.abandoned_within),
        "F5": lambda c: share(c.answered_within + c.abandoned_short, c.answered + c.abandoned),
    }
)


def service_level(formula: str, counts: Left) -> float | None:
    """The service level by `formula`, 0 to 1; None while no call counts. KeyError for an unknown formula."""
    return SERVICE_LEVELS[formula](counts)


def service_levels(counts: Left) -> dict[str, float | None]:
    """The service level by each formula."""
    return {name: by(counts) for name, by in SERVICE_LEVELS.items()}
