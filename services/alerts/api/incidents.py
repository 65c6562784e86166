"""Incidents by HTTP: detail and what people do. Docstrings are its documentation (OpenAPI)."""

from __future__ import annotations

from datetime import date, datetime

from fastapi import APIRouter
from pydantic import Field

from services.alerts.api.detailviews import DetailView
from services.alerts.api.parts import (
    CONFLICT,
    NOT_FOUND,
    Actor,
    Alerts,
    Body,
    Name,
    Note,
    Number,
    Reader,
    Service,
    SomeNote,
    by,
)
from services.alerts.api.statusviews import StatusView
from services.alerts.api.views import IncidentView
from services.alerts.core import lifecycle as steps
from services.alerts.core.followup import morning
from services.alerts.core.incident import Incident


class AcknowledgeBody(Body):
    by: Name = Field(description="Who takes it; whoever signed in does it in their own name", examples=["Li Wei"])
    note: Note = ""


class AssignBody(Body):
    by: Name
    to: Name = Field(description="Who has it from now on", examples=["Wang Fang"])
    note: Note = ""


class ResolveBody(Body):
    by: Name
    note: Note = Field("", description="What was done")
    cause: Note = Field("", description="Why it happened")
    recheck_on: date | None = Field(None, description="When somebody will look again; people are told in its morning")


class ReopenBody(Body):
    by: Name
    note: Note = ""


class NoteBody(Body):
    by: Name
    note: SomeNote


router = APIRouter(prefix="/api/v1", tags=["incidents"])


@router.get("/incidents/{number}", responses=NOT_FOUND)
async def one_incident(who: Reader, alerts: Alerts, number: Number) -> DetailView:
    """One incident with its timeline, its evidence and its notifications."""
    return await alerts.detail(number, who)


@router.post("/incidents/{number}/acknowledge", responses=NOT_FOUND | CONFLICT)
async def acknowledge(who: Actor, alerts: Alerts, number: Number, body: AcknowledgeBody) -> IncidentView:
    """Take the incident: everybody sees that it is being dealt with, and by whom."""
    return await alerts.act(number, who, lambda one, now: steps.acknowledged(one, by(who, body), body.note, now))


@router.post("/incidents/{number}/assign", responses=NOT_FOUND | CONFLICT)
async def assign(who: Actor, alerts: Alerts, number: Number, body: AssignBody) -> IncidentView:
    """Hand the incident to somebody, whoever had it before."""
    return await alerts.act(number, who, lambda one, now: steps.assigned(one, body.to, by(who, body), body.note, now))


@router.post("/incidents/{number}/resolve", responses=NOT_FOUND | CONFLICT)
async def resolve(who: Actor, alerts: Alerts, number: Number, body: ResolveBody) -> IncidentView:
    """Say that it is dealt with. A new flag of the same kind within 15 minutes opens it again."""
    return await alerts.act(
        number,
        who,
        lambda one, now: steps.resolved(
            one,
            by(who, body),
            body.note,
            now,
            cause=body.cause,
            recheck_on=body.recheck_on,
            recheck_at=_morning(alerts, one, body.recheck_on, now),
        ),
    )


def _morning(alerts: Service, one: Incident, day: date | None, now: datetime) -> datetime | None:
    return None if day is None else morning(day, alerts.desk.zone_of(one.site), now)


@router.post("/incidents/{number}/reopen", responses=NOT_FOUND | CONFLICT)
async def reopen(who: Actor, alerts: Alerts, number: Number, body: ReopenBody) -> IncidentView:
    """Take a resolution back."""
    return await alerts.act(number, who, lambda one, now: steps.reopened(one, by(who, body), body.note, now))


@router.post("/incidents/{number}/notes", status_code=201, responses=NOT_FOUND)
async def add_note(who: Actor, alerts: Alerts, number: Number, body: NoteBody) -> IncidentView:
    """Add to the history; possible in every state."""
    return await alerts.act(number, who, lambda one, now: steps.noted(one, by(who, body), body.note, now))


@router.get("/status", tags=["status"])
async def status(_who: Reader, alerts: Alerts) -> StatusView:
    """Whether flags arrive, since when, and where notifications go."""
    return alerts.status()
