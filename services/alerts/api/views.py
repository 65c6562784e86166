"""Incidents as the API gives them. Wall-clock and switch times are told apart in every description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.alerts.chinese import in_chinese
from services.alerts.core.followup import FollowUp
from services.alerts.core.incident import (
    Action,
    Condition,
    Incident,
    State,
)
from services.alerts.core.urgency import urgency
from shared.facts import Severity, Subject
from shared.masking import masked_text


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class TextView(View):
    """A sentence for people in both languages."""

    en: str
    zh: str

    @classmethod
    def of(cls, english: str) -> TextView:
        """What the service refuses or warns of; English in both where there is no Chinese for it."""
        return cls(en=english, zh=in_chinese(english) or english)


class HeldView(View):
    """What keeps people from being told."""

    by: Literal["silence", "maintenance", "incident"]
    number: int = Field(description="Of the silence, or of the incident that this one follows from")
    until: datetime | None = Field(None, description="When the silence ends; wall clock")

    @classmethod
    def of(cls, one: Incident, until: datetime | None = None) -> HeldView | None:
        if not one.held or one.state == "resolved":
            return None
        kind, _, number = one.held.partition(" ")
        return cls.model_validate({"by": kind, "number": int(number), "until": until})


class ComingView(View):
    """What people are told next."""

    reason: str = Field(description="As in notifications")
    at: datetime = Field(description="Wall clock")
    receivers: list[str]


class IncidentView(View):
    """An incident as a list shows it."""

    id: int = Field(description="The number people use: #42")
    site: str
    site_label: str = Field("", description="The site's name for people; the id where the sites file has none")
    rule: str
    subject: Subject
    subject_id: str
    severity: Severity = Field(description="The highest of its flags")
    state: State
    allowed: tuple[Action, ...] = Field(description="What a person may do now; a note is always allowed")
    condition: Condition = Field(description="Whether what was flagged still holds; unknown: the record of it is lost")
    simulated: bool
    replay: bool
    summary: TextView
    labels: dict[str, str]
    started: datetime = Field(description="Since when the condition holds; the switch's clock")
    ended: datetime | None = Field(description="When it ended; the switch's clock; null: it holds, or unknown")
    opened_at: datetime = Field(description="Wall clock, as every *_at")
    open_since: datetime = Field(description="Of this opening, by a flag or a person; wall clock")
    changed_at: datetime
    acknowledged_at: datetime | None
    owner: str = Field(description="Who acknowledged it")
    resolved_at: datetime | None
    resolver: str
    cause: str
    recheck_on: date | None
    flags: int = Field(description="How many flags it holds")
    openings: int = Field(description="How often a flag opened it: 1, and 1 for each return")
    held: HeldView | None = Field(
        None, description="What keeps people from being told; null: nothing, or it is resolved"
    )
    next: ComingView | None = Field(None, description="Whom it is told to next if nobody does anything; null: nobody")
    actions_open: int = Field(0, description="Actions that are not done")
    actions_overdue: int = Field(0, description="Of those, whose day is over at the site")
    recheck_due: bool = Field(False, description="The day of its re-check has come, and nobody has said how it went")
    urgency: int = Field(0, description="Lower comes first in order=urgency; of equal ones the lower number")
    version: int = Field(description="Grows with each change; an older one never replaces a newer one")

    @classmethod
    def of(cls, one: Incident) -> IncidentView:
        same = {name: getattr(one, name) for name in _INCIDENT_FIELDS}
        return cls(
            held=HeldView.of(one),
            actions_open=sum(action.done_at is None for action in one.actions),
            urgency=urgency(one),
            summary=TextView(en=one.summary_en, zh=one.summary_zh),
            version=one.entries,
            **same,
        )

    def masked(self) -> IncidentView:
        """Without the numbers that somebody typed."""
        return self.model_copy(update={"cause": masked_text(self.cause)})


_COMPUTED = (
    "site_label",
    "summary",
    "version",
    "held",
    "next",
    "actions_open",
    "actions_overdue",
    "recheck_due",
    "urgency",
)


_INCIDENT_FIELDS = tuple(n for n in IncidentView.model_fields if n not in _COMPUTED)


class ActionView(View):
    """What somebody is still to do, or did."""

    id: int = Field(description="Counts within the incident")
    text: str
    owner: str
    due_on: date | None
    done_at: datetime | None = Field(description="Wall clock, as every *_at; null: it is still to do")
    done_by: str
    created_at: datetime
    created_by: str
    overdue: bool = Field(description="Its day is over at the site, and it is not done")

    @classmethod
    def of(cls, one: FollowUp, today: date) -> ActionView:
        names = ("text", "owner", "due_on", "done_at", "done_by", "created_at", "created_by")
        return cls(id=one.number, overdue=one.overdue(today), **{name: getattr(one, name) for name in names})

    def masked(self) -> ActionView:
        """Without the numbers that somebody typed."""
        return self.model_copy(update={"text": masked_text(self.text)})


class PageView(View):
    """A page of a list."""

    incidents: list[IncidentView]
    counts: dict[State, int] = Field(description="How many fit the other filters, by state")
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last")


class RefusedView(View):
    number: int
    status: int = Field(description="As if it had been asked alone")
    why: str


class DoneView(View):
    """What became of something that was done to several incidents."""

    done: list[IncidentView]
    refused: list[RefusedView]
