"""What `floorwatch replay` tells a person: what it passed over and why, and at the end what the recording held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from floorwatch.traces import Damage
from shared.errors import InvalidInput
from shared.raw import Raw

if TYPE_CHECKING:
    from floorwatch.replay import Summary

SHOWN_COMPLAINTS = 20
KEPT_COMPLAINTS = 10_000  # of lines of a log; a file with more is no log of calls


class Complaints:
    """Damaged lines and refused packets: the first few in full, all of them counted, those of a log also kept by line."""

    def __init__(self, console: Console, file: Path) -> None:
        self._console = console
        self._file = file
        self._said = 0
        self.first_refusal = ""
        self.line_of: Callable[[int], int | None] = lambda _: None
        self.lines: list[dict[str, Any]] = []

    def damaged(self, damage: Damage) -> None:
        """A line that holds no packet."""
        self._keep(damage.line, damage.reason)
        self._say(f"{self._file}:{damage.line}: passed over: {damage.reason}")

    def rejected(self, raw: Raw, why: InvalidInput) -> None:
        """A packet that the adapter refused."""
        self.first_refusal = self.first_refusal or str(why)
        line = self.line_of(raw.offset)
        if line is None:
            self._say(f"{self._file}: packet {raw.offset + 1}: {why.reason}: {why}")
        else:
            self._keep(line, why.reason)
            self._say(f"{self._file}:{line}: passed over: {why.reason}: {why}")

    def _keep(self, line: int, reason: str) -> None:
        if len(self.lines) < KEPT_COMPLAINTS:
            self.lines.append({"line": line, "reason": reason})

    def _say(self, text: str) -> None:
        self._said += 1
        if self._said <= SHOWN_COMPLAINTS:
            self._console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def close(self, damages: int) -> None:
        """How many more there were."""
        if self._said > SHOWN_COMPLAINTS:
            more, refused = self._said - SHOWN_COMPLAINTS, self._said - damages
            self._console.print(f"... and {more} more; in all {damages} lines are damaged and {refused} were refused")


def table_of(summary: Summary, seconds: float) -> Table:
    """The summary as a table."""
    table = Table(title="What the recording holds", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    if summary.first and summary.last:
        table.add_row("recording", f"{summary.first:%Y-%m-%d %H:%M:%S} UTC, {_length(summary.last - summary.first)}")
    table.add_row("read", f"{summary.packets} packets, {summary.events} events, in {seconds:.1f} s")
    if summary.rejected:
        table.add_row("refused", _counts(summary.rejected))
    table.add_row("agents' time", _shares(summary.state_seconds))
    for kind in ("call", "transfer"):
        found = {key.split()[1]: count for key, count in summary.outcomes.items() if key.startswith(kind)}
        table.add_row(f"{kind}s", _counts(found) if found else "none")
    table.add_row("flags", _counts(summary.flags) if summary.flags else "none")
    if summary.irregular:
        table.add_row("irregular", _counts(summary.irregular))
    if summary.anomalies:
        table.add_row("anomalies", _counts(summary.anomalies))
    return table


def _length(length: timedelta) -> str:
    """`4.5 s`, `0:04:26`, `30 days, 23:51:32`."""
    if length < timedelta(minutes=1):
        return f"{length.total_seconds():.1f} s"
    return str(timedelta(seconds=round(length.total_seconds())))


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items(), key=lambda item: -item[1]))


def _shares(seconds: dict[str, float]) -> str:
    whole = sum(seconds.values())
    if not whole:
        return "none"
    return ", ".join(f"{state} {100 * s / whole:.1f} %" for state, s in sorted(seconds.items(), key=lambda i: -i[1]))
