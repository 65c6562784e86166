"""Agents' finished calls over HTTP."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from services.monitor.desk.calls import Calls
from services.monitor.desk.desk import Desk
from services.monitor.desk.views import AgentCalls
from shared.apidoc import answers, problem
from shared.apiparts import Name, json_answer
from shared.auth import Principal, authed
from shared.problems import Problem

STRUCTS: Final = (AgentCalls,)  # for `shared.apidoc.describe`

Historian = Annotated[Principal, Depends(authed("history.read"))]


def router_for(desk: Desk) -> APIRouter:
    """The routes, on this desk."""
    router = APIRouter(prefix="/api/v1", tags=["floor"])

    @router.get(
        "/agents/{site}/{agent_id}/calls",
        response_class=Response,
        responses=answers(AgentCalls, "the agent's last conversations")
        | problem(404, "an agent that you may not see")
        | problem(503, "the database is away"),
    )
    async def calls_of_agent(
        who: Historian, site: Name, agent_id: Name, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> Response:
        """An agent's finished conversations, newest first, kept for 7 days (MONITOR_KEEP_DAYS). Numbers are masked."""
        if not desk.sight(who).agent(site, agent_id):
            raise Problem(404, f"no agent {agent_id} at site {site} was heard of")
        async with desk.store.reading() as session:
            found = AgentCalls(calls=tuple(await Calls(session).of_agent(site, agent_id, limit)))
        return json_answer(found)

    return router
