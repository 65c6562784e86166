"""Durations as people write them in files."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Final

_UNITS: Final = MappingProxyType({"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0})
_YEAR: Final = timedelta(days=365)


def parse_duration(written: str | float, below: timedelta = _YEAR) -> timedelta:
    """`250ms`, `7s`, `1.5m`, `2h` or `3d` as a timedelta, below a year or what else is said. Raises ValueError."""
    text = str(written)
    number = text.rstrip("mshdn")
    unit = _UNITS.get(text[len(number) :])
    try:
        value = float(number) * (unit or float("nan"))
    except ValueError:
        value = float("nan")
    if not 0 <= value < below.total_seconds():
        raise ValueError(f'expected a duration such as "7s", "1.5m" or "2h", got {written!r}')
    return timedelta(seconds=value)
