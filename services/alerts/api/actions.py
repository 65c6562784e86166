"""What is still to do about an incident, by HTTP. Docstrings are its documentation (OpenAPI)."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path
from pydantic import Field

from services.alerts.api.parts import CONFLICT, NOT_FOUND, Actor, Alerts, Body, Name, Note, Number, SomeNote, by
from services.alerts.api.views import ActionView, IncidentView
from services.alerts.core import actions as steps
from services.alerts.core.actions import Edit, NoSuchAction, TooManyActions
from shared.apidoc import problem
from shared.problems import Problem

router = APIRouter(prefix="/api/v1", tags=["incidents"])

ActionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="of the action, within the incident")]


class ActionBody(Body):
    text: SomeNote = Field(description="What is to be done")
    owner: Name = Field(description="Who does it", examples=["Wang Fang"])
    due_on: date | None = Field(None, description="Until when; people are told in the morning of that day at the site")
    by: Name = "somebody"


class ActionEditBody(Body):
    text: SomeNote | None = Field(None, description="null: as it was")
    owner: Name | None = Field(None, description="null: as it was")
    due_on: date | None = Field(None, description="null: no day any more; left out: as it was")
    done: bool | None = Field(None, description="null: as it was; false: it is to be done after all")
    by: Name = "somebody"


class RecheckBody(Body):
    by: Name
    note: Note = ""
    ok: bool = Field(description="true: it holds, the re-check is over; false: it does not, and the incident reopens")


@router.post("/incidents/{number}/actions", status_code=201, responses=NOT_FOUND | CONFLICT)
async def add_action(who: Actor, alerts: Alerts, number: Number, body: ActionBody) -> ActionView:
    """Say what somebody is to do until when; possible in every state."""
    zone_of = alerts.desk.zone_of
    try:
        incident = await alerts.change(
            number,
            who,
            lambda one, now: steps.added(
                one, body.text, body.owner, body.due_on, by(who, body), zone_of(one.site), now
            ),
        )
    except TooManyActions as exc:
        raise Problem(409, str(exc)) from exc
    return alerts.desk.views.actions(incident)[-1]


@router.patch(
    "/incidents/{number}/actions/{action}", responses=NOT_FOUND | CONFLICT | problem(404, "no such incident or action")
)
async def change_action(
    who: Actor, alerts: Alerts, number: Number, action: ActionNumber, body: ActionEditBody
) -> ActionView:
    """Change an action, say that it is done, or that it is not after all."""
    edit = Edit(
        text=body.text,
        owner=body.owner,
        due_on=body.due_on if "due_on" in body.model_fields_set else msgspec.UNSET,
        done=body.done,
    )
    zone_of = alerts.desk.zone_of
    try:
        incident = await alerts.change(
            number, who, lambda one, now: steps.edited(one, action, edit, by(who, body), zone_of(one.site), now)
        )
    except NoSuchAction as exc:
        raise Problem(404, str(exc)) from exc
    return alerts.desk.views.actions(incident)[action - 1]


@router.post("/incidents/{number}/recheck", responses=NOT_FOUND | CONFLICT)
async def recheck(who: Actor, alerts: Alerts, number: Number, body: RecheckBody) -> IncidentView:
    """Say how it looks now that somebody looked again, on the re-check's day or before."""
    return await alerts.act(number, who, lambda one, now: steps.rechecked(one, body.ok, by(who, body), body.note, now))
