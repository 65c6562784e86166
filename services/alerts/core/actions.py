"""What is still to do about an incident: actions with an owner and a day, and looking again at what was resolved. Pure."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from services.alerts.core.followup import FollowUp, morning
from services.alerts.core.incident import Change, Incident, WrongTransition
from services.alerts.core.lifecycle import changed, reopened
from shared.errors import FloorwatchError

MOST_ACTIONS = 50  # of one incident; whoever needs more has a project


class NoSuchAction(FloorwatchError):
    """The incident has no action with this number."""


class TooManyActions(FloorwatchError):
    """An incident has as many actions as it may have."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of an action; None and UNSET: it stays."""

    text: str | None = None
    owner: str | None = None
    due_on: date | msgspec.UnsetType | None = msgspec.UNSET
    done: bool | None = None


def added(
    incident: Incident, text: str, owner: str, due_on: date | None, by: str, time_zone: str, now: datetime
) -> Change:
    """A further action; possible in every state. Raises TooManyActions."""
    if len(incident.actions) >= MOST_ACTIONS:
        raise TooManyActions(f"an incident has at most {MOST_ACTIONS} actions")
    one = FollowUp(
        number=len(incident.actions) + 1,
        text=text,
        owner=owner,
        created_at=now,
        created_by=by,
        due_on=due_on,
        due_at=None if due_on is None else morning(due_on, time_zone, now),
    )
    after = msgspec.structs.replace(incident, actions=(*incident.actions, one))
    return changed(after, now, "action_added", by=by, note=text, data=_said(one))


def edited(incident: Incident, number: int, edit: Edit, by: str, time_zone: str, now: datetime) -> Change | None:
    """An action changed, done, or to be done after all; None when nothing is different. Raises NoSuchAction."""
    before = next((one for one in incident.actions if one.number == number), None)
    if before is None:
        raise NoSuchAction(f"incident {incident.id} has no action {number}")
    one = msgspec.structs.replace(
        before,
        text=before.text if edit.text is None else edit.text,
        owner=before.owner if edit.owner is None else edit.owner,
    )
    if edit.due_on is not msgspec.UNSET and edit.due_on != before.due_on:
        at = None if edit.due_on is None else morning(edit.due_on, time_zone, now)
        one = msgspec.structs.replace(one, due_on=edit.due_on, due_at=at, told=False)
    if edit.done is not None and edit.done != (before.done_at is not None):
        one = msgspec.structs.replace(one, done_at=now if edit.done else None, done_by=by if edit.done else "")
    if one == before:
        return None
    actions = tuple(one if other.number == number else other for other in incident.actions)
    done = one.done_at is not None and before.done_at is None
    return changed(
        msgspec.structs.replace(incident, actions=actions),
        now,
        "action_done" if done else "action_changed",
        by=by,
        note=one.text,
        data=_said(one),
    )


def rechecked(incident: Incident, ok: bool, by: str, note: str, now: datetime) -> Change:
    """Somebody looked again at what was resolved: it holds, and the re-check is over; or it does not, and the incident reopens.

    Raises WrongTransition when there is nothing to look at again.
    """
    if incident.state != "resolved" or incident.recheck_at is None:
        raise WrongTransition(incident, "recheck")
    data: dict[str, Any] = {"ok": ok}
    if incident.recheck_on is not None:
        data["recheck_on"] = incident.recheck_on.isoformat()
    if ok:
        return changed(
            msgspec.structs.replace(incident, recheck_at=None), now, "rechecked", by=by, note=note, data=data
        )
    change = reopened(incident, by, note, now)
    return msgspec.structs.replace(change, entry=msgspec.structs.replace(change.entry, data=data))


def _said(one: FollowUp) -> dict[str, Any]:
    data: dict[str, Any] = {"action": one.number, "owner": one.owner}
    if one.due_on is not None:
        data["due_on"] = one.due_on.isoformat()
    if one.done_at is not None:
        data["done"] = True
    return data
