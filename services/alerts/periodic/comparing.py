"""What changed against the period before, in figures and in words. Nothing is compared that does not exist in both."""

from __future__ import annotations

from typing import Literal

from services.alerts.periodic.document import Tone
from services.alerts.periodic.period import Kind
from services.alerts.periodic.writing import Writer

Better = Literal["", "more", "less"]
_FEW = 20  # below it a count's change is said as a number: "100 % more" of one call says nothing


def relative(now: float | None, was: float | None) -> float | None:
    """How much more, as a share of what was; None where there was nothing."""
    return None if now is None or not was else (now - was) / was


def difference(now: float | None, was: float | None) -> float | None:
    return None if now is None or was is None else now - was


def tone(change: float | None, better: Better, at_least: float = 0.0) -> Tone:
    """Whether this is good news; smaller changes than `at_least` are neither."""
    if not better or change is None or abs(change) <= at_least:
        return "plain"
    return "good" if (change > 0) == (better == "more") else "bad"


class Comparison:
    """Says changes as the end of a sentence: `, 12 % more than the day before (1,100)`; "" where there is nothing to say."""

    def __init__(self, write: Writer, kind: Kind, there: bool) -> None:
        self._write = write
        self._before = write(f"before.{kind}")
        self.there = there  # whether the period before may be compared with

    def count(self, now: int, was: int | None) -> str:
        if not self.there or was is None:
            return ""
        if now == was:
            return self._said("than.same")
        shown = str(abs(now - was)) if was < _FEW else self._unsigned((now - was) / was, "share0")
        return self._said("than.more" if now > was else "than.less", shown, f"{was:,}")

    def share(self, now: float | None, was: float | None) -> str:
        """Of two shares: in points."""
        if not self.there or now is None or was is None:
            return ""
        if round(1000 * (now - was)) == 0:
            return self._said("than.level")
        word = "than.higher" if now > was else "than.lower"
        return self._said(word, self._unsigned(now - was, "points"), self._write.value(was, "share"))

    def lasting(self, now: float | None, was: float | None) -> str:
        """Of two durations in seconds."""
        if not self.there or now is None or was is None:
            return ""
        if abs(now - was) < 1:
            return self._said("than.as_long")
        word = "than.longer" if now > was else "than.shorter"
        return self._said(word, self._write.lasted(abs(now - was)), self._write.lasted(was))

    def _said(self, key: str, change: str = "", value: str = "") -> str:
        return self._write("than.comma") + self._write(key, change=change, before=self._before, value=value)

    def _unsigned(self, change: float, form: Literal["share0", "points"]) -> str:
        gap = "" if self._write.language == "zh" else " "
        if form == "share0":
            return f"{abs(100 * change):,.0f}{gap}%"
        return f"{abs(100 * change):.1f} {self._write('unit.points')}"
