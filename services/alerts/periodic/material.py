"""What a report is written from: figures of a period, those of the one before, and what is to be done."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from services.alerts.periodic.comparing import Comparison
from services.alerts.periodic.writing import Writer
from services.alerts.recorder.figures import PeriodFigures


class FollowUp(Struct, frozen=True):
    """Something to be done about an incident: an action, or a date to look again."""

    number: int
    kind: str  # action, recheck
    text: str
    owner: str
    due_on: date | None
    overdue: bool
    about_en: str
    about_zh: str


class Material(Struct, frozen=True):
    """`followups`: due by the end of the period after this one, most urgent first."""

    figures: PeriodFigures
    before: PeriodFigures | None
    followups: tuple[FollowUp, ...] = ()


class Desk(Struct, frozen=True):
    """What every section is written with."""

    now: PeriodFigures
    was: PeriodFigures | None  # None: nothing to compare with
    write: Writer
    compare: Comparison
    followups: tuple[FollowUp, ...] = ()

    @property
    def blank(self) -> bool:
        """Whether nothing of the period is recorded, so that nothing counted does not mean that there was nothing."""
        return self.now.origin == "none" and not self.now.coverage.recorded
