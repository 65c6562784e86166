"""Who is told of what, by HTTP: the alert file in force, and what it would make of a flag. Docstrings are the documentation."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints

from services.alerts.api.explainviews import ExplainedView
from services.alerts.api.parts import Alerts, Body, Reader
from services.alerts.api.routingviews import RoutingView
from services.alerts.core.explained import Explained, WrongLabels, example, explained
from services.alerts.silences.holds import Hold
from services.alerts.silences.scope import visible
from services.alerts.visibility import sees
from shared.apidoc import problem
from shared.apiparts import NO_ZERO_BYTE, Moment
from shared.auth import Principal, Scope, authed
from shared.problems import Problem

Operator = Annotated[Principal, Depends(authed("operations.read"))]
LabelText = Annotated[str, StringConstraints(max_length=200, pattern=NO_ZERO_BYTE)]
FIRST_YEAR, LAST_YEAR = 2000, 2200  # far from where the calendar and time zones end

router = APIRouter(prefix="/api/v1", tags=["routing"])


class ExplainBody(Body):
    labels: dict[LabelText, LabelText] = Field(
        description="What a flag would have; without `severity` each is answered",
        examples=[{"rule": "slow_transfer", "site": "hq", "queue": "sales"}],
        max_length=50,
        json_schema_extra={"additionalProperties": False},  # a label whose name is none has no value either
    )
    at: Moment | None = Field(None, description="When it would be raised; without it: now")


@router.get("/routing")
async def routing(_who: Operator, alerts: Alerts) -> RoutingView:
    """The alert file in force in words: receivers without secrets, routes, who is on duty now, what hides what."""
    live = alerts.in_force
    return RoutingView.of(
        live.alerts,
        live.channels.of,
        alerts.text.sites,
        alerts.clock.now(),
        file=live.file,
        loaded_at=live.loaded_at,
        file_error=live.file_error,
    ).faring(alerts.reach.states.all())


@router.post("/routing/explain", responses=problem(400, "no flag can have these labels") | problem(404, "no such site"))
async def explain(who: Reader, alerts: Alerts, body: ExplainBody) -> ExplainedView:
    """Who would be told of a flag with these labels, when and why, if nobody did anything. Nothing is told to anybody."""
    site = body.labels.get("site", "")
    if not who.scope.site(site):
        raise Problem(404, f"there is no site {site}")
    at = _within_reason(body.at or alerts.clock.now())
    handling, policy, sites = alerts.in_force.alerts.handling, alerts.desk.policy, alerts.text.sites
    zone = sites.site(site).time_zone
    try:
        found = await asyncio.to_thread(explained, handling, body.labels, zone, policy, at)
    except WrongLabels as exc:
        raise Problem(400, str(exc)) from exc
    silences, incidents = _hiding(alerts.desk.holds.last, found, who.scope)
    return ExplainedView.of(found, sites, silences=silences, incidents=incidents)


def _hiding(hold: Hold, found: Explained, scope: Scope) -> tuple[list[str], list[int]]:
    """Silences in force then, and incidents that hide it now; only those within the scope."""
    labels = [example(found.labels, one.severity, found.at).all_labels for one in found.courses]
    silences = [
        f"{one.kind} {one.id}"
        for one in hold.silences
        if any(one.holds(these, found.at) for these in labels) and visible(scope, one.matchers)
    ]
    incidents = [
        number
        for number, theirs in hold.standing.items()
        if any(one.hides(theirs, these) for one in hold.inhibitions for these in labels)
        and sees(scope, example(theirs, "info", found.at))
    ]
    return silences, incidents


def _within_reason(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year < LAST_YEAR:
        raise Problem(400, f"at: expected a time from {FIRST_YEAR} to {LAST_YEAR - 1}")
    return at.astimezone(UTC)
