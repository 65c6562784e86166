"""What a soak found: a table for people, and the same as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from tests.soak.drill import Struck
from tests.soak.faults import FAULTS
from tests.soak.ledger import Ledger

P11_S: Final = 5.0  # docs/performance.md: boards right after kill -9 of a monitor
BUSY: Final = 2.0  # load average for each processor, from which on times are those of waiting for one


class Report(Struct, kw_only=True):
    """One soak. `wrong`: in words, what must not be; empty: all is exact."""

    seed: int
    broker: str
    database: str
    lasts_s: float
    rate: float
    happened: int  # events that were poured
    again: str  # the command that does the same once more
    struck: list[Struck] = []
    counts: dict[str, str] = {}
    peak_mb: dict[str, float] = {}
    boards: dict[str, int] = {}
    notes: list[str] = []
    wrong: list[str] = []
    load_average: float = 0.0

    @property
    def good(self) -> bool:
        return not self.wrong

    def write(self, folder: Path) -> Path:
        """The report as JSON in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"soak-{self.seed}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
        return path


def words(struck: Struck) -> str:
    """One fault in a line."""
    said = struck.failed or f"boards right after {struck.boards_s:.1f} s, all ready after {struck.ready_s:.1f} s"
    busy = f" (load average {struck.load_average:.0f})" if struck.load_average > BUSY * (os.cpu_count() or 1) else ""
    late = f"; last: {struck.waited_for}" if max(struck.boards_s, struck.ready_s) > P11_S and not struck.failed else ""
    return f"{struck.at_s:6.1f} s  {FAULTS[struck.fault].what}: {said}{busy}{late}"


def table(report: Report, ledgers: Sequence[Ledger]) -> str:
    """A line for each kind of fault, then what was counted."""
    begins = [one.at_s for one in report.struck]
    ends = [*begins[1:], float("inf")][: len(begins)]
    windows = list(zip(report.struck, begins, ends, strict=True))
    head = ("case", "times", "boards right p50", "max s", "all ready p50", "max s", "lost", "doubled")
    lines: list[Sequence[str]] = [head]
    for name in dict.fromkeys(one.fault for one in report.struck):
        them = [(one, begin, end) for one, begin, end in windows if one.fault == name]
        lost = sum(ledger.between(begin, end)[0] for _, begin, end in them for ledger in ledgers)
        doubled = sum(ledger.between(begin, end)[1] for _, begin, end in them for ledger in ledgers)
        boards = sorted(one.boards_s for one, _, _ in them)
        ready = sorted(one.ready_s for one, _, _ in them)
        figures = [f"{value:.1f}" for value in (_middle(boards), boards[-1], _middle(ready), ready[-1])]
        lines.append((FAULTS[name].what, str(len(them)), *figures, str(lost), str(doubled)))
    return "\n".join([_aligned(lines), "", _aligned([(name, said) for name, said in report.counts.items()])])


def _middle(values: Sequence[float]) -> float:
    return values[len(values) // 2]


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return (
        "\n".join(
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(pairs)
            )
            for pairs in ([*zip(line, widths, strict=True)] for line in lines)
        )
        if len(lines[0]) > 2
        else "\n".join(f"{name.ljust(widths[0])}  {said}" for name, said in lines)
    )


def summary(report: Report) -> dict[str, Any]:
    """For a line at the end: what went over the bound of P11, and the machine."""
    late = [one for one in report.struck if one.boards_s > P11_S]
    return {"faults": len(report.struck), "boards_later_than_5_s": len(late), "load_average": os.getloadavg()[0]}


def by_peak(peaks: Mapping[str, float]) -> str:
    """Memory in a line."""
    return ", ".join(f"{name} {value:.0f} MB" for name, value in peaks.items())
