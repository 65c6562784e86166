"""Callers' numbers in full over HTTP, and who saw them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.monitor.core.views import TransferView
from services.monitor.desk.desk import Desk
from services.monitor.desk.reveals import Reveals
from services.monitor.desk.views import Numbers, RevealsPage
from shared.apidoc import answers, problem
from shared.apiparts import NO_ZERO_BYTE, Cursor, Limit, Name, before_of, json_answer, next_of
from shared.auth import Principal, authed
from shared.problems import Problem

STRUCTS: Final = (Numbers, RevealsPage)  # for `shared.apidoc.describe`

Purpose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500, pattern=NO_ZERO_BYTE)]
Revealer = Annotated[Principal, Depends(authed("numbers.reveal"))]
Auditor = Annotated[Principal, Depends(authed("audit.read"))]


class RevealBody(BaseModel):
    """Whose numbers, and what for."""

    model_config = ConfigDict(extra="forbid")

    site: Name
    call_id: Name = Field("", description="A call on the board; or `transfer_id`, one of them")
    transfer_id: Name = Field("", description="A transfer on the board")
    purpose: Purpose = Field(description="Why you need them; it is kept", examples=["call back after a lost transfer"])


def router_for(desk: Desk) -> APIRouter:
    """The routes, on this desk."""
    router = APIRouter(prefix="/api/v1", tags=["numbers"])

    @router.post(
        "/numbers",
        response_class=Response,
        responses=answers(Numbers, "the numbers in full")
        | problem(404, "no such call or transfer on the board, or none that you may see")
        | problem(503, "the database is away: what cannot be written down is not shown"),
    )
    async def reveal(who: Revealer, body: RevealBody) -> Response:
        """The numbers of a call or of a transfer that is on the board. Who saw them, when and what for is written down first."""
        if bool(body.call_id) == bool(body.transfer_id):
            raise Problem(422, "either call_id or transfer_id says whose numbers", title="Invalid request")
        call_id, found = _numbers(desk, who, body)
        async with desk.store.unit_of_work() as session:
            await Reveals(session).add(who, body.site, call_id, body.transfer_id, body.purpose, found, desk.clock.now())
        desk.metrics.reveals.inc()
        return json_answer(found)

    @router.get(
        "/audit/numbers",
        response_class=Response,
        responses=answers(RevealsPage, "a page of them, newest first")
        | problem(400, "`cursor` is not one that this service gave")
        | problem(503, "the database is away"),
    )
    async def reveals(
        who: Auditor,
        site: Name = "",
        user: Name = "",
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Response:
        """Who saw which caller's number in full, when and what for, newest first. Nobody can change or delete these."""
        before, sites = before_of(cursor), who.scope.sites_of(site)
        async with desk.store.reading() as session:
            found = await Reveals(session).newest(sites, user=user, before=before, limit=limit + 1)
        page = tuple(found[:limit])
        return json_answer(RevealsPage(reveals=page, next=next_of(page[-1].id) if len(found) > limit else None))

    return router


def _numbers(desk: Desk, who: Principal, body: RevealBody) -> tuple[str, Numbers]:
    """The call and its numbers. Raises Problem 404."""
    sight, what = desk.sight(who), f"transfer {body.transfer_id}" if body.transfer_id else f"call {body.call_id}"
    call_id = body.call_id
    if body.transfer_id:
        seen = sight.shown_transfer(body.site, body.transfer_id)
        transfer = desk.engine.view("transfer", body.site, body.transfer_id)
        call_id = transfer.call_id if isinstance(transfer, TransferView) else ""
    else:
        seen = sight.call(body.site, body.call_id)
    numbers = desk.engine.numbers(body.site, body.call_id, body.transfer_id) if seen else None
    if numbers is None:
        raise Problem(404, f"there is no {what} at site {body.site} on the board; numbers of what is over are not kept")
    return call_id, Numbers(from_number=numbers[0], to_number=numbers[1])
