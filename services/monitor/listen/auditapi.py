"""Who listened to whom, over HTTP: the audit for auditors, and an agent's own history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal, get_args

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.monitor.listen import exporting
from services.monitor.listen.api import page_of
from services.monitor.listen.book import Book, ListenQuery
from services.monitor.listen.chain import Link
from services.monitor.listen.model import Listen
from services.monitor.listen.part import Listening
from services.monitor.listen.trail import AuditQuery, Trail
from services.monitor.listen.views import AgentListens, AgentListenView, AuditPage
from shared.apidoc import Responses, answers, problem
from shared.apiparts import Cursor, Limit, Moment, Name, before_of, json_answer, next_of
from shared.auth import Principal, authed, signed_in
from shared.commands import Mode
from shared.problems import Problem

STRUCTS: Final = (AgentListens, AuditPage, Link)  # for `shared.apidoc.describe`

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
Auditor = Annotated[Principal, Depends(authed("audit.read"))]
Anybody = Annotated[Principal, Depends(signed_in)]
From = Annotated[Moment | None, Query(alias="from", description="then or later")]
To = Annotated[Moment | None, Query(alias="to", description="before then")]
_AWAY: Final = problem(503, "the database is away")
_CURSOR: Final = problem(400, "`cursor` is not one that this service gave")
_TYPES: Final[dict[str, str]] = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_FILES: Final[Responses] = {
    200: {"description": "the rows", "content": {"application/x-ndjson": {}, "text/csv": {}}},
}


def router_for(listening: Listening) -> APIRouter:
    """The routes, on this part of the monitor."""
    router = APIRouter(prefix="/api/v1", tags=["listening"])
    _audit(router, listening)
    _history(router, listening)
    return router


def _audit(router: APIRouter, listening: Listening) -> None:
    @router.get(
        "/audit/listens",
        response_class=Response,
        responses=answers(AuditPage, "a page of rows, newest first") | _CURSOR | _AWAY,
    )
    async def rows(
        who: Auditor,
        site: Name = "",
        listen: Name = "",
        agent: Name = "",
        user: Annotated[Name, Query(description="what they did, and all of their listens")] = "",
        kind: Name = "",
        start: From = None,
        end: To = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Response:
        """Who listened to whom: each asking, refusal, beginning, change and end, newest first. Nobody can change or delete these.

        Each row carries the hash of the one before. `floorwatch audit verify` looks whether the chain holds; rows of sites
        outside of your scope are left out here, so that what you see may have gaps.
        """
        query = AuditQuery(who.scope.sites_of(site), listen, agent, user, kind, start, end)
        before = before_of(cursor)
        async with listening.store.reading() as session:
            found = await Trail(session).newest(query, before=before, limit=limit + 1)
        more = next_of(found[limit - 1].id) if len(found) > limit else None
        return json_answer(AuditPage(tuple(found[:limit]), more))

    @router.get(
        "/audit/listens/export",
        response_class=Response,
        responses=_FILES | _AWAY,
    )
    async def export(
        who: Auditor,
        site: Name = "",
        start: From = None,
        end: To = None,
        form: Annotated[Literal["ndjson", "csv"], Query(alias="format")] = "ndjson",
    ) -> Response:
        """All rows in their order, one JSON object a line, or as CSV."""
        query = AuditQuery(who.scope.sites_of(site), start=start, end=end)
        async with listening.store.reading():  # away: say so before anything is sent
            pass

        async def lines() -> AsyncIterator[bytes]:
            async with listening.store.reading() as session:
                async for line in exporting.lines(Trail(session).all(query), form):
                    yield line

        headers = {"content-disposition": f'attachment; filename="listens.{form}"'}
        return StreamingResponse(lines(), media_type=_TYPES[form], headers=headers)


def _history(router: APIRouter, listening: Listening) -> None:
    @router.get(
        "/agents/{site}/{agent_id}/listens",
        response_class=Response,
        responses=answers(AgentListens, "a page of them, newest first")
        | problem(401, "nobody is signed in")
        | problem(403, "an agent that you see, and it needs `calls.listen` or `audit.read`")
        | problem(404, "an agent that is not you, and that you may not see")
        | _CURSOR
        | _AWAY,
    )
    async def listens_of_agent(
        request: Request, who: Anybody, site: Name, agent_id: Name, limit: Limit = 100, cursor: Cursor = ""
    ) -> Response:
        """Who listened to an agent, newest first: for the agent what the site's policy shows (`tell_agent`), for whoever may
        listen or read the audit all of it."""
        own = who.agent == f"{site}/{agent_id}"
        full = (who.may("audit.read") or who.may("calls.listen")) and listening.desk.sight(who).agent(site, agent_id)
        if not own and not full:
            if who.may("floor.read") and listening.desk.sight(who).agent(site, agent_id):  # what they see is no secret
                await authed("calls.listen")(request, who)
            raise Problem(404, f"no agent {agent_id} at site {site} was heard of")

        def shown(one: Listen) -> bool:
            return one.live_at is not None and (full or one.told_at is not None)

        query = ListenQuery(frozenset({site}), agent_id=agent_id)
        found, after = await page_of(listening, query, cursor, limit, shown)
        async with listening.store.reading() as session:
            listens = [one.listen_id for one in found]
            seconds = await Book(session).seconds(listens, agent_id)
            modes = await Trail(session).modes(listens, agent_id)
        tell = listening.sites.site(site).listening.tell_agent
        page = tuple(_of_agent(one, seconds.get(one.listen_id, 0.0), modes.get(one.listen_id, set())) for one in found)
        return json_answer(AgentListens(site, agent_id, tell, page, after))


def _of_agent(one: Listen, seconds: float, spoken: set[str]) -> AgentListenView:
    names = ("listen_id", "user_name", "purpose", "call_id", "ended_at")
    values: dict[str, Any] = {name: getattr(one, name) for name in names}
    values["modes"] = tuple(mode for mode in MODES if mode == "listen" or mode in spoken)
    return AgentListenView(**values, started_at=one.live_at or one.started_at, seconds=round(seconds, 1))
