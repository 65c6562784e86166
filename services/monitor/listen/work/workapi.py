"""Inspectors' work over HTTP: notes, claims, coverage."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Query, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.monitor.core.counting.periods import day_of
from services.monitor.core.views import AgentView, SiteView
from services.monitor.desk.desk import Desk
from services.monitor.desk.transferapi import AWAY, TOO_MANY
from services.monitor.listen.knowing import may_know
from services.monitor.listen.work import coverage
from services.monitor.listen.work.claims import Claim, ClaimedByOther, Claims
from services.monitor.listen.work.coverage import AgentCoverage, Talk
from services.monitor.listen.work.notes import Note, NoteRefused, Notes, read_by
from shared.apidoc import answers, created, describe, problem
from shared.apiparts import NO_ZERO_BYTE, json_answer
from shared.auth import Principal, authed
from shared.problems import Problem

NEW_AGENT: Final = "new_agent"  # the tag of the sites file

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_ZERO_BYTE)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=NO_ZERO_BYTE)]
Listener = Annotated[Principal, Depends(authed("calls.listen"))]


class NotesView(Struct, frozen=True):
    """Notes by their moment."""

    notes: tuple[Note, ...]


class ClaimsView(Struct, frozen=True):
    """The claims that hold."""

    claims: tuple[Claim, ...]


class CoverageView(Struct, frozen=True, kw_only=True):
    """A day at a site, from `begin` to `end`; the agents with calls, and new agents without."""

    site: str
    day: str
    begin: datetime
    end: datetime
    direction: str
    enough_s: float  # a call is heard when this much of it was, or
    enough_share: float  # this share of the conversation
    agents: tuple[AgentCoverage, ...]


STRUCTS: Final = (NotesView, Note, ClaimsView, Claim, CoverageView)  # for `shared.apidoc.describe`


class NoteBody(BaseModel):
    """What was noticed, and when."""

    model_config = ConfigDict(extra="forbid")

    at_s: float = Field(ge=0, le=86_400, allow_inf_nan=False, description="Seconds into the listen")
    text: Words


class ClaimBody(BaseModel):
    """Which call."""

    model_config = ConfigDict(extra="forbid")

    site: Name
    call_id: Name


def install_work_routes(app: FastAPI, desk: Desk) -> None:
    """Have `app` answer for inspectors' work, with the desk's database and its sight of the floor."""
    describe(app, *STRUCTS)
    router = APIRouter(prefix="/api/v1", tags=["listening"])
    _notes(router, desk)
    _claims(router, desk)
    _coverage(router, desk)
    app.include_router(router)


def _notes(router: APIRouter, desk: Desk) -> None:
    @router.post(
        "/listens/{listen_id}/notes",
        status_code=201,
        response_class=Response,
        responses=AWAY
        | TOO_MANY
        | created(Note, "the note")
        | problem(404, "no such listen of yours")
        | problem(409, "not a moment of this listen, too late, or too many"),
    )
    async def add_note(who: Listener, listen_id: Name, body: NoteBody) -> Response:
        """Write a note about a moment of your own listen, while it runs or within 12 h after it. Notes stay as they are."""
        desk.admit_change(who)
        async with desk.store.unit_of_work() as session:
            notes = Notes(session)
            listen = await notes.listen(listen_id)
            if listen is None or listen.user != who.user:
                raise Problem(404, f"there is no listen {listen_id} of yours")
            try:
                note = await notes.add(who, listen, body.at_s, body.text, desk.clock.now())
            except NoteRefused as exc:
                raise Problem(409, str(exc), title="Not a note of this listen") from exc
        return json_answer(note, 201)

    @router.get(
        "/listens/{listen_id}/notes",
        response_class=Response,
        responses=AWAY | answers(NotesView, "its notes") | problem(404, "no such listen, or none that you may see"),
    )
    async def notes_of_listen(who: Listener, listen_id: Name) -> Response:
        """A listen's notes by their moment. Numbers that somebody typed are masked for who may not see any."""
        async with desk.store.reading() as session:
            notes = Notes(session)
            listen = await notes.listen(listen_id)
            if listen is None or not may_know(desk, who, listen):
                raise Problem(404, f"there is no listen {listen_id}")
            found = await notes.of_listen(listen_id)
        return json_answer(NotesView(tuple(read_by(who, note) for note in found)))

    @router.get("/notes", response_class=Response, responses=AWAY | answers(NotesView, "the notes of a call"))
    async def notes_of_call(who: Listener, site: Name, call_id: Name) -> Response:
        """What everybody who heard a call noted about it, by its moment; of agents that you may see."""
        sight = desk.sight(who)
        async with desk.store.reading() as session:
            found = await Notes(session).of_call(site, call_id)
        seen = [note for note in found if note.by == who.user or sight.agent(site, note.agent_id)]
        return json_answer(NotesView(tuple(read_by(who, note) for note in seen)))


def _claims(router: APIRouter, desk: Desk) -> None:
    @router.post(
        "/claims",
        status_code=201,
        response_class=Response,
        responses=AWAY
        | TOO_MANY
        | created(Claim, "your claim")
        | problem(404, "no such call, or none that you may see")
        | problem(409, "somebody else took it; `claim` is theirs"),
    )
    async def claim(who: Listener, body: ClaimBody) -> Response:
        """Take a call in order to hear it. It is free again 60 s after you took it or last heard it."""
        desk.admit_change(who)
        if not desk.sight(who).call(body.site, body.call_id):
            raise Problem(404, f"there is no call {body.call_id} at site {body.site}")
        try:
            async with desk.store.unit_of_work() as session:
                made = await Claims(session).take(who, body.site, body.call_id, desk.clock.now())
        except ClaimedByOther as exc:
            raise Problem(409, str(exc), title="Taken already", claim=msgspec.to_builtins(exc.claim)) from exc
        return json_answer(made, 201)

    @router.delete("/claims", status_code=204, response_class=Response, responses=AWAY | TOO_MANY)
    async def give_back(who: Listener, site: Name, call_id: Name) -> Response:
        """Hold your claim no longer; one that you do not hold is no error."""
        desk.admit_change(who)
        async with desk.store.unit_of_work() as session:
            await Claims(session).give_back(who, site, call_id)
        return Response(status_code=204)

    @router.get("/claims", response_class=Response, responses=AWAY | answers(ClaimsView, "the claims that hold"))
    async def claims(who: Listener, site: str = "") -> Response:
        """Who took which call, of those on the board that you may see."""
        async with desk.store.reading() as session:
            held = await Claims(session).held(who.scope.sites_of(site), desk.clock.now())
        sight = desk.sight(who)
        return json_answer(ClaimsView(tuple(one for one in held if sight.call(one.site, one.call_id))))


def _coverage(router: APIRouter, desk: Desk) -> None:
    @router.get(
        "/coverage",
        response_class=Response,
        responses=AWAY
        | answers(CoverageView, "the day by agent, the least heard new agents first")
        | problem(404, "a site never heard of"),
    )
    async def of_day(
        who: Listener,
        site: Name,
        day: Annotated[str, Query(description="YYYY-MM-DD at the site; today when left out", max_length=10)] = "",
        direction: Literal["", "inbound", "outbound", "internal"] = "",
    ) -> Response:
        """How many of each agent's finished calls were heard, and how much; calls are kept for 7 days (MONITOR_KEEP_DAYS)."""
        known = desk.engine.view("site", site, site)
        if not isinstance(known, SiteView) or not desk.sight(who).site(site):
            raise Problem(404, f"no site {site} was heard of")
        name, begin, end = _day(day, known, desk.clock.now())
        async with desk.store.reading() as session:
            found = await coverage.talks(session, site, begin, end, direction)
        agents = _agents(desk, who, site, found)
        view = CoverageView(
            site=site,
            day=name,
            begin=begin,
            end=end,
            direction=direction,
            enough_s=coverage.ENOUGH_S,
            enough_share=coverage.ENOUGH_SHARE,
            agents=agents,
        )
        return json_answer(view)


def _day(day: str, site: SiteView, now: datetime) -> tuple[str, datetime, datetime]:
    """Name, begin and end of a day at the site. Raises Problem 422."""
    zone = ZoneInfo(site.time_zone)
    if not day:
        return day_of(site.now or now, zone)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise Problem(422, f"day: {day!r} is not YYYY-MM-DD", title="Invalid request")
    try:
        wanted = date.fromisoformat(day)
        noon = datetime(wanted.year, wanted.month, wanted.day, 12, tzinfo=zone).astimezone(UTC)
        return day_of(noon, zone)
    except (ValueError, OverflowError) as exc:
        raise Problem(422, f"day: there is no {day}", title="Invalid request") from exc


def _agents(desk: Desk, who: Principal, site: str, found: list[Talk]) -> tuple[AgentCoverage, ...]:
    """Agents with calls, and new agents of the board without; new ones first, of these the least heard."""
    sight = desk.sight(who)
    by_agent: dict[str, list[Talk]] = defaultdict(list)
    for talk in found:
        by_agent[talk.agent_id].append(talk)
    for agent_id in desk.engine.tagged(site, NEW_AGENT):
        by_agent.setdefault(agent_id, [])
    rows = []
    for agent_id, talks in by_agent.items():
        if not sight.agent(site, agent_id):
            continue
        card = desk.engine.view("agent", site, agent_id)
        name, team, tags = (card.name, card.team, card.tags) if isinstance(card, AgentView) else ("", "", ())
        rows.append(coverage.of_agent(agent_id, name or agent_id, team, NEW_AGENT in tags, talks))
    return tuple(sorted(rows, key=lambda row: (not row.new_agent, row.calls_share or 0.0, row.name, row.agent_id)))
