"""The API of the alerts service. Docstrings are its documentation (OpenAPI)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.alerts import reports
from services.alerts.core import incident as steps
from services.alerts.core.incident import Change, Incident, State, WrongTransition
from services.alerts.desk import AnotherIsOpen, Desk, NoSuchIncident
from services.alerts.hub import Hub, encode
from services.alerts.link import Link
from services.alerts.outbox import Outbox
from services.alerts.repositories import Incidents
from services.alerts.repositories import Query as IncidentQuery
from services.alerts.text import Text
from services.alerts.views import (
    DetailView,
    FlagView,
    IncidentView,
    NotificationView,
    PageView,
    StatusView,
    entry_view,
)
from services.alerts.visibility import sees
from shared.apidoc import problem
from shared.apiparts import NO_ZERO_BYTE, Limit
from shared.auth import LOCAL, Authenticator, Principal, Scope, authed
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError
from shared.facts import Severity
from shared.problems import Problem, problem_response

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]*$")]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000, pattern=NO_ZERO_BYTE)]
SomeNote = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=NO_ZERO_BYTE)]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="of the incident")]  # as large as the column
Words = Annotated[str, StringConstraints(max_length=200, pattern=NO_ZERO_BYTE)]
AWAY = problem(503, "the database is away; nothing was changed")
NOT_FOUND = AWAY | problem(404, "no such incident")
CONFLICT = problem(409, "the incident's state does not allow it; `state` and `allowed` say what does")


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AcknowledgeBody(Body):
    by: Name = Field(description="Who takes it; whoever signed in does it in their own name", examples=["Li Wei"])
    note: Note = ""


class ResolveBody(Body):
    by: Name
    note: Note = Field("", description="What was done")
    cause: Note = Field("", description="Why it happened")
    recheck_on: date | None = Field(None, description="When somebody will look again; it appears in the report")


class ReopenBody(Body):
    by: Name
    note: Note = ""


class NoteBody(Body):
    by: Name
    note: SomeNote


class Service:
    """What the endpoints work with."""

    def __init__(
        self, *, database: Database, desk: Desk, hub: Hub, link: Link, text: Text, clock: Clock, channels: list[str]
    ) -> None:
        self.database = database
        self.desk = desk
        self.hub = hub
        self.link = link
        self.text = text
        self.clock = clock
        self.channels = channels

    def status(self) -> StatusView:
        return StatusView.of(self.link.status, self.channels, self.clock.now())

    async def detail(self, number: int, who: Principal) -> DetailView:
        """As they may read it. Raises Problem 404, also for an incident that is not theirs to see."""
        async with self.database.reading() as session:
            incidents = Incidents(session)
            incident = await incidents.get(number)
            if incident is None or not sees(who.scope, incident):
                raise _missing(number)
            detail = DetailView(
                incident=IncidentView.of(incident),
                time_zone=self.text.sites.site(incident.site).time_zone,
                timeline=[entry_view(entry) for entry in await incidents.entries(number)],
                flags=[FlagView.of(flag, clearing) for flag, clearing in await incidents.flags(number)],
                notifications=[NotificationView.of(*found) for found in await Outbox(session).of(number)],
            )
        return detail if who.reads_notes else detail.masked()

    async def act(self, number: int, who: Principal, step: Callable[[Incident, datetime], Change]) -> IncidentView:
        """Raises Problem 404 and 409."""

        def within_scope(incident: Incident, now: datetime) -> Change:
            if not sees(who.scope, incident):
                raise _missing(number)
            return step(incident, now)

        try:
            return IncidentView.of(await self.desk.act(number, within_scope))
        except NoSuchIncident as exc:
            raise _missing(number) from exc
        except AnotherIsOpen as exc:
            raise Problem(409, str(exc), title="Not possible in this state", other=exc.number) from exc
        except WrongTransition as exc:
            raise Problem(
                409,
                str(exc),
                title="Not possible in this state",
                state=exc.incident.state,
                allowed=list(exc.allowed),
                incident=IncidentView.of(exc.incident).model_dump(mode="json"),
            ) from exc


def _by(who: Principal, body: AcknowledgeBody | ResolveBody | ReopenBody | NoteBody) -> str:
    """In whose name: as they say where nobody signs in, else as they are known."""
    return body.by if who is LOCAL else who.name


def _missing(number: int) -> Problem:
    return Problem(404, f"there is no incident {number}")


def _service(request: Request) -> Service:
    found: Service = request.app.state.alerts
    return found


Alerts = Annotated[Service, Depends(_service)]
Reader = Annotated[Principal, Depends(authed("floor.read"))]
Actor = Annotated[Principal, Depends(authed("floor.act"))]
router = APIRouter(prefix="/api/v1", tags=["incidents"])


@router.get("/incidents", responses=AWAY | problem(400, "`cursor` is not one that this service gave"))
async def list_incidents(
    who: Reader,
    alerts: Alerts,
    state: Annotated[list[State] | None, Query(description="May be given several times")] = None,
    severity: Annotated[list[Severity] | None, Query(description="May be given several times")] = None,
    rule: Words = "",
    site: Words = "",
    q: Annotated[Words, Query(description="Words in summary, subject, rule or owner, or a number")] = "",
    limit: Limit = 100,
    cursor: Annotated[str, Query(description="next_cursor of the page before", max_length=30)] = "",
) -> PageView:
    """Incidents that fit every given filter, newest first."""
    if cursor and not re.fullmatch(r"before-\d{1,9}", cursor):
        raise Problem(400, "cursor: not one that this service gave; leave it out for the first page")
    query = IncidentQuery(
        states=tuple(state or ()),
        severities=tuple(severity or ()),
        rule=rule,
        site=site,
        scope=who.scope,
        text=q,
        before=int(cursor.removeprefix("before-")) if cursor else None,
        limit=limit + 1,
    )
    async with alerts.database.reading() as session:
        found = await Incidents(session).find(query)
        counts = await Incidents(session).count(query)
    page = found[:limit]
    return PageView(
        incidents=[view if who.reads_notes else view.masked() for view in map(IncidentView.of, page)],
        counts=counts,
        next_cursor=f"before-{page[-1].id}" if len(found) > limit else None,
    )


@router.get("/incidents/{number}", responses=NOT_FOUND)
async def one_incident(who: Reader, alerts: Alerts, number: Number) -> DetailView:
    """One incident with its timeline, its evidence and its notifications."""
    return await alerts.detail(number, who)


@router.post("/incidents/{number}/acknowledge", responses=NOT_FOUND | CONFLICT)
async def acknowledge(who: Actor, alerts: Alerts, number: Number, body: AcknowledgeBody) -> IncidentView:
    """Take the incident: everybody sees that it is being dealt with, and by whom."""
    return await alerts.act(number, who, lambda one, now: steps.acknowledged(one, _by(who, body), body.note, now))


@router.post("/incidents/{number}/resolve", responses=NOT_FOUND | CONFLICT)
async def resolve(who: Actor, alerts: Alerts, number: Number, body: ResolveBody) -> IncidentView:
    """Say that it is dealt with. A new flag of the same kind within 15 minutes opens it again."""
    return await alerts.act(
        number,
        who,
        lambda one, now: steps.resolved(
            one, _by(who, body), body.note, now, cause=body.cause, recheck_on=body.recheck_on
        ),
    )


@router.post("/incidents/{number}/reopen", responses=NOT_FOUND | CONFLICT)
async def reopen(who: Actor, alerts: Alerts, number: Number, body: ReopenBody) -> IncidentView:
    """Take a resolution back."""
    return await alerts.act(number, who, lambda one, now: steps.reopened(one, _by(who, body), body.note, now))


@router.post("/incidents/{number}/notes", status_code=201, responses=NOT_FOUND)
async def add_note(who: Actor, alerts: Alerts, number: Number, body: NoteBody) -> IncidentView:
    """Add to the history; possible in every state."""
    return await alerts.act(number, who, lambda one, now: steps.noted(one, _by(who, body), body.note, now))


@router.get(
    "/incidents/{number}/report",
    responses=NOT_FOUND
    | {
        200: {
            "content": {
                "text/html": {},
                "text/markdown": {},
                "application/json": {"schema": {"$ref": "#/components/schemas/DetailView"}},
            }
        }
    },
    response_class=HTMLResponse,
)
async def report(
    who: Reader,
    alerts: Alerts,
    number: Number,
    lang: Literal["en", "zh"] = "en",
    format: Literal["html", "md", "json"] = "html",
) -> Response:
    """The incident report, written from the facts: a page to print, Markdown or JSON; without numbers that somebody typed."""
    detail = (await alerts.detail(number, who)).masked()
    name = f"incident-{number}.{format}"
    headers = {
        "content-disposition": f'inline; filename="{name}"',
        "content-language": "zh-CN" if lang == "zh" else "en",
    }
    if format == "json":
        return JSONResponse(detail.model_dump(mode="json"), headers=headers)
    written = reports.Report(alerts.text, detail, lang, alerts.clock.now())
    if format == "md":
        return PlainTextResponse(written.markdown(), media_type="text/markdown", headers=headers)
    return HTMLResponse(written.html(), headers=headers | {"content-security-policy": reports.CONTENT_SECURITY_POLICY})


@router.get("/status", tags=["status"])
async def status(_who: Reader, alerts: Alerts) -> StatusView:
    """Whether flags arrive, since when, and where notifications go."""
    return alerts.status()


@router.get(
    "/stream",
    tags=["status"],
    responses={200: {"content": {"text/event-stream": {}}, "description": "events status, incident, resync"}},
    response_class=StreamingResponse,
)
async def stream(who: Reader, request: Request, alerts: Alerts) -> StreamingResponse:
    """Server-sent events: `status` (a Status, first and on each change), `incident` (an Incident, on each change),
    `resync` (the reader was too slow: ask for the list anew). It ends when the reader's token does."""
    auth: Authenticator = request.app.state.auth

    def scope_now() -> Scope | None:
        found = auth.current(who)
        return found.scope if found is not None and found.may("floor.read") else None

    first = encode("status", alerts.status().model_dump_json())
    return StreamingResponse(
        alerts.hub.stream(first, scope_now),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def unavailable(_request: Request, exc: Exception) -> Response:
    """The answer when the database is away: 503, with what to do."""
    assert isinstance(exc, StoreError)
    return problem_response(503, f"{exc}; nothing was changed, try again", headers={"retry-after": "5"})
