"""Lists of incidents by HTTP, and what is done to many at once. Docstrings are their documentation (OpenAPI)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field

from services.alerts.api.parts import AWAY, Actor, Alerts, Body, Name, Note, Reader, Words, by
from services.alerts.api.views import DoneView, IncidentView, PageView, RefusedView
from services.alerts.core import lifecycle as steps
from services.alerts.core.incident import Change, Incident, State
from services.alerts.queries import Order
from services.alerts.queries import Query as IncidentQuery
from services.alerts.repositories import Incidents
from shared.apidoc import problem
from shared.apiparts import Limit, Moment, no_truth
from shared.facts import Severity
from shared.problems import Problem

LONGEST_CURSOR = 40
_BEFORE = re.compile(r"before-(\d{1,9})")
_BEHIND = re.compile(r"behind-(\d{1,17})-(\d{1,9})")

router = APIRouter(prefix="/api/v1", tags=["incidents"])


class AcknowledgeManyBody(Body):
    numbers: list[Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(no_truth)]] = Field(
        min_length=1, max_length=200
    )
    by: Name = Field(description="Who takes them; whoever signed in does it in their own name", examples=["Li Wei"])
    note: Note = ""


@router.get("/incidents", responses=AWAY | problem(400, "`cursor` is not one that this service gave for this order"))
async def list_incidents(
    who: Reader,
    alerts: Alerts,
    state: Annotated[list[State] | None, Query(description="May be given several times")] = None,
    severity: Annotated[list[Severity] | None, Query(description="May be given several times")] = None,
    rule: Words = "",
    site: Words = "",
    q: Annotated[Words, Query(description="Words in summary, site, subject, rule, owner or labels, or a number")] = "",
    owner: Annotated[Words, Query(description="Who has it, exactly")] = "",
    held: Annotated[bool | None, Query(description="yes: only what nobody is told of now; no: all else")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Opened then or later")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Opened before")] = None,
    order: Annotated[Order, Query(description="urgency: what needs somebody most comes first")] = "newest",
    limit: Limit = 100,
    cursor: Annotated[
        str, Query(description="next_cursor of the page before, with the same order", max_length=LONGEST_CURSOR)
    ] = "",
) -> PageView:
    """Incidents that fit every given filter. By urgency: unresolved before resolved, then by severity, open before acknowledged,
    told before held back, longest open first; of what is resolved the last one first."""
    query = IncidentQuery(
        states=tuple(state or ()),
        severities=tuple(severity or ()),
        rule=rule,
        site=site,
        owner=owner,
        held=held,
        since=since,
        until=until,
        scope=who.scope,
        text=q,
        order=order,
        before=_number(cursor) if order == "newest" else None,
        behind=_place(cursor) if order == "urgency" else None,
        limit=limit + 1,
    )
    async with alerts.database.reading() as session:
        found = await Incidents(session).find(query)
        counts = await Incidents(session).count(query)
    page = [alerts.desk.views.of(one, who.scope) for one in found[:limit]]
    return PageView(
        incidents=[view if who.reads_notes else view.masked() for view in page],
        counts=counts,
        next_cursor=_cursor(page[-1], order) if len(found) > limit else None,
    )


@router.post("/incidents/acknowledge", responses=AWAY)
async def acknowledge_many(who: Actor, alerts: Alerts, body: AcknowledgeManyBody) -> DoneView:
    """Take several incidents. Each is done or refused by itself: a refusal stops nothing."""
    done: list[IncidentView] = []
    refused: list[RefusedView] = []

    def step(one: Incident, now: datetime) -> Change:
        return steps.acknowledged(one, by(who, body), body.note, now)

    for number in dict.fromkeys(body.numbers):
        try:
            done.append(await alerts.act(number, who, step))
        except Problem as exc:
            refused.append(RefusedView(number=number, status=exc.status_code, why=exc.detail))
    return DoneView(done=done, refused=refused)


def _cursor(last: IncidentView, order: Order) -> str:
    return f"before-{last.id}" if order == "newest" else f"behind-{last.urgency}-{last.id}"


def _number(cursor: str) -> int | None:
    found = _BEFORE.fullmatch(cursor)
    if found is None and cursor:
        raise _wrong()
    return int(found[1]) if found else None


def _place(cursor: str) -> tuple[int, int] | None:
    found = _BEHIND.fullmatch(cursor)
    if found is None and cursor:
        raise _wrong()
    return (int(found[1]), int(found[2])) if found else None


def _wrong() -> Problem:
    return Problem(400, "cursor: not one that this service gave for this order; leave it out for the first page")
