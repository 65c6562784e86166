"""What a benchmark says: one figure, what it must and should reach, and the yardstick measured beside it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

Scale = Literal["quick", "usual", "long"]  # to see that it runs; in minutes; with the whole hour of P14


class Yardstick(Struct, frozen=True, kw_only=True):
    """The same work without our code around it, measured in the same run. `ours` is what it is compared with."""

    what: str
    unit: str
    value: float
    ours: float

    @property
    def ratio(self) -> float:
        return self.ours / self.value


class Figure(Struct, frozen=True, kw_only=True):
    """One measured figure. `must` and `aim` are limits of `judged`: of `value`, or of the yardstick's ratio."""

    id: str
    figure: str
    unit: str
    value: float
    must: float
    aim: float
    better: Literal["higher", "lower"]
    yardstick: Yardstick
    judged: Literal["value", "ratio"] = "value"
    broken: tuple[str, ...] = ()  # what must hold beside the number, and did not
    skipped: str = ""  # why it could not be measured here; then nothing else counts
    detail: dict[str, Any] = {}

    @property
    def ratio(self) -> float:
        return self.yardstick.ratio

    def reaches(self, limit: float) -> bool:
        found = self.ratio if self.judged == "ratio" else self.value
        return not self.broken and not self.skipped and (found >= limit if self.better == "higher" else found <= limit)

    def line(self) -> str:
        """The figure as one JSON object."""
        plain = {
            **msgspec.to_builtins(self),
            "ratio": self.ratio,
            "must_reached": self.reaches(self.must),
            "aim_reached": self.reaches(self.aim),
        }
        return msgspec.json.encode(_rounded(plain)).decode()


def _rounded(value: Any) -> Any:
    """Four significant digits: more would claim what no run repeats."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def table(figures: Sequence[Figure]) -> str:
    """All figures for people, one a line."""
    rows = [("id", "figure", "value", "must", "aim", "yardstick", "ratio", "")]
    for one in figures:
        sign = "≥" if one.better == "higher" else "≤"
        what = "ratio " if one.judged == "ratio" else ""
        rows.append(
            (
                one.id,
                one.figure,
                f"{one.value:,.4g} {one.unit}",
                f"{what}{sign} {one.must:g}",
                f"{what}{sign} {one.aim:g}",
                f"{one.yardstick.value:,.4g} {one.yardstick.unit}",
                f"{one.ratio:.2f}",
                _verdict(one),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{one.id}: {why}" for one in figures for why in (*one.broken, one.skipped) if why]
    return "\n".join(lines)


def _verdict(one: Figure) -> str:
    if one.skipped:
        return "skipped"
    return "aim" if one.reaches(one.aim) else "must" if one.reaches(one.must) else "MISSED"


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)
