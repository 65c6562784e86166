"""Finished transfers and their cases over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.monitor.desk import transfers
from services.monitor.desk.casebook import CaseChangedMeanwhile, CaseDraft
from services.monitor.desk.desk import Desk, NoSuchTransfer
from services.monitor.desk.transfers import Sort, WithCase, read_cursor
from services.monitor.desk.views import Case, FinishedTransfer, ReasonView, TransfersPage
from shared.apidoc import answers, problem
from shared.apiparts import NO_ZERO_BYTE, Moment, Name, json_answer
from shared.auth import Principal, authed
from shared.errors import InvalidInput
from shared.facts import Verdict
from shared.problems import Problem

STRUCTS: Final = (TransfersPage, FinishedTransfer, Case, ReasonView)  # for `shared.apidoc.describe`
AWAY: Final = problem(503, "the database is away; nothing was changed")
TOO_MANY: Final = problem(429, "more changes than one user may make in a minute; `Retry-After` says when to come back")
_UNKNOWN: Final = AWAY | problem(404, "no such transfer, or none that you may see")

Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000, pattern=NO_ZERO_BYTE)]
Historian = Annotated[Principal, Depends(authed("history.read"))]
Actor = Annotated[Principal, Depends(authed("floor.act"))]
Reader = Annotated[Principal, Depends(authed("floor.read"))]


class CaseBody(BaseModel):
    """A case as it shall be."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, StringConstraints(max_length=40)] = Field(
        "", description="A code of /api/v1/transfer-reasons; a case can be closed only with one"
    )
    note: Note = ""
    follow_up: Note = Field("", description="What is to be done, and by whom")
    follow_up_on: date | None = Field(None, description="When")
    status: Literal["open", "closed"] = "open"
    version: int = Field(0, ge=0, le=2**31 - 2, description="Of the case that you saw; 0 when there was none")


def router_for(desk: Desk) -> APIRouter:
    """The routes, on this desk."""
    router = APIRouter(prefix="/api/v1", tags=["transfers"])

    @router.get(
        "/transfers",
        response_class=Response,
        responses=AWAY
        | answers(TransfersPage, "the transfers that fit, a page of them")
        | problem(400, "`cursor` is not one that this service gave for this order"),
    )
    async def list_transfers(
        who: Historian,
        site: Name = "",
        agent: Annotated[Name, Query(description="Who transferred, or to whom")] = "",
        queue: Annotated[Name, Query(description="To which queue, or by which the call came")] = "",
        slow: Annotated[Verdict | Literal[""], Query(description="Over the limit of the rule slow_transfer")] = "",
        outcome: Annotated[Name, Query(description="completed, failed, cancelled or abandoned")] = "",
        case: Annotated[WithCase, Query(description="`some`: any case at all; `any`: with and without")] = "any",
        since: Annotated[Moment | None, Query(alias="from", description="Asked for at this time or later")] = None,
        until: Annotated[Moment | None, Query(alias="to", description="Asked for before this time")] = None,
        q: Annotated[Name, Query(description="Name in agents, queue, ids, reason or the case")] = "",
        sort: Annotated[
            Sort, Query(description="`worst`: failed ones and those over the limit first, longest first")
        ] = "newest",
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
        cursor: Annotated[str, Query(description="`next` of the page before", max_length=300)] = "",
    ) -> Response:
        """Finished transfers that fit every given filter, kept for 7 days (MONITOR_KEEP_DAYS); those with a case as long as it.

        Transfers that run are on the feed. A page may be short, or empty, and still have a next one.
        """
        query = transfers.Query(
            sites=who.scope.sites_of(site),
            agent=agent,
            queue=queue,
            slow=slow,
            outcome=outcome,
            case=case,
            since=since,
            until=until,
            text=q,
            sort=sort,
            after=_after(cursor, sort),
            limit=limit,
        )
        return json_answer(await desk.transfers(who, query))

    @router.get(
        "/transfers/{site}/{transfer_id}",
        response_class=Response,
        responses=_UNKNOWN | answers(FinishedTransfer, "the transfer and its case"),
    )
    async def one_transfer(who: Historian, site: Name, transfer_id: Name) -> Response:
        """One transfer, finished or running, and its case with the history."""
        try:
            return json_answer(await desk.transfer(who, site, transfer_id))
        except NoSuchTransfer as exc:
            raise Problem(404, str(exc)) from exc

    @router.put(
        "/transfers/{site}/{transfer_id}/case",
        response_class=Response,
        responses=_UNKNOWN
        | TOO_MANY
        | answers(Case, "the case as it is now, with its history")
        | problem(409, "somebody changed it meanwhile; `case` is how it is now, null when there is none"),
    )
    async def put_case(who: Actor, site: Name, transfer_id: Name, body: CaseBody) -> Response:
        """Open the transfer's case or change it. `version` says which one you saw, so that nobody's change is lost.

        Each change is kept with who made it and when. Running transfers may have a case, too.
        """
        desk.admit_change(who)
        draft = CaseDraft(**body.model_dump())
        await _check_reason(desk, site, transfer_id, draft)
        try:
            return json_answer(await desk.put_case(who, site, transfer_id, draft))
        except NoSuchTransfer as exc:
            raise Problem(404, str(exc)) from exc
        except CaseChangedMeanwhile as exc:
            now = msgspec.to_builtins(await desk.case(site, transfer_id))
            raise Problem(409, str(exc), title="Changed meanwhile", case=now) from exc

    @router.get(
        "/transfer-reasons",
        response_class=Response,
        responses=answers(ReasonView, "the reasons to choose from", many=True),
    )
    async def reasons(who: Reader) -> Response:
        """Why a transfer was as it was: the reasons that a case may have (deploy/cases.yaml), in their order."""
        return json_answer(desk.reasons.views)

    return router


def _after(cursor: str, sort: Sort) -> transfers.After | None:
    try:
        return read_cursor(cursor, sort) if cursor else None
    except InvalidInput as exc:
        raise Problem(400, str(exc)) from exc


async def _check_reason(desk: Desk, site: str, transfer_id: str, draft: CaseDraft) -> None:
    """Raises Problem 422. A reason that is no longer offered stays with the cases that have it."""
    known = sorted(desk.reasons.codes)
    if draft.reason and draft.reason not in desk.reasons.codes:
        before = await desk.case(site, transfer_id)
        if before is not None and before.reason == draft.reason:
            return
        raise Problem(422, f"reason: there is no {draft.reason}; there are {', '.join(known)}", title="Invalid request")
    if draft.status == "closed" and not draft.reason:
        raise Problem(422, f"reason: a case is closed with one of {', '.join(known)}", title="Invalid request")
