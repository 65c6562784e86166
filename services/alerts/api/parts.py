"""What every endpoint of the alerts service shares: what it works with, who asks, and what bodies are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Annotated, Protocol

import msgspec
from fastapi import Depends, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from services.alerts.alertfile.live import InForce
from services.alerts.api.detailviews import (
    MOST_FLAGS,
    MOST_LINES,
    MOST_NOTIFICATIONS,
    DetailView,
    FlagView,
    NotificationView,
    TotalsView,
    entry_view,
)
from services.alerts.api.statusviews import StatusView
from services.alerts.api.views import IncidentView
from services.alerts.core.incident import Change, Entry, Incident, WrongTransition
from services.alerts.desk import AnotherIsOpen, Desk, NoSuchIncident
from services.alerts.feed.hub import Hub
from services.alerts.link import Link
from services.alerts.reach.outbox import Outbox
from services.alerts.reach.parts import Reach
from services.alerts.repositories import Incidents
from services.alerts.text import Text
from services.alerts.visibility import sees, shown_to
from shared.apidoc import problem
from shared.apiparts import NO_ZERO_BYTE
from shared.auth import LOCAL, Principal, authed
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError
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


class Named(Protocol):
    """A body that says in whose name something is done."""

    @property
    def by(self) -> str: ...


class Service:
    """What the endpoints work with."""

    def __init__(
        self,
        *,
        database: Database,
        desk: Desk,
        hub: Hub,
        link: Link,
        text: Text,
        clock: Clock,
        in_force: InForce,
        reach: Reach,
    ) -> None:
        self.database = database
        self.desk = desk
        self.hub = hub
        self.link = link
        self.text = text
        self.clock = clock
        self.in_force = in_force
        self.reach = reach

    def status(self) -> StatusView:
        return StatusView.of(self.link.status, self.in_force, self.clock.now(), self.reach.states.all())

    async def detail(self, number: int, who: Principal) -> DetailView:
        """As they may read it. Raises Problem 404, also for an incident that is not theirs to see."""
        async with self.database.reading() as session:
            incidents, outbox = Incidents(session), Outbox(session)
            incident = await incidents.get(number)
            if incident is None or not sees(who.scope, incident):
                raise missing(number)
            flags = [one for one in await incidents.flags(number, MOST_FLAGS) if sees(who.scope, one[0])]
            entries = await incidents.entries(number, MOST_LINES)
            if shown_to(who.scope, incident) is not None:
                entries = _of_flags(entries, {flag.flag_id for flag, _ in flags})
            detail = DetailView(
                incident=self.desk.views.of(incident, who.scope),
                time_zone=self.text.sites.site(incident.site).time_zone,
                timeline=[entry_view(entry) for entry in entries],
                flags=[FlagView.of(flag, clearing) for flag, clearing in flags],
                notifications=[NotificationView.of(*one) for one in await outbox.of(number, MOST_NOTIFICATIONS)],
                totals=TotalsView(
                    timeline=incident.entries, flags=incident.flags, notifications=await outbox.number(number)
                ),
                actions=self.desk.views.actions(incident),
            )
        return detail if who.reads_notes else detail.masked()

    async def act(self, number: int, who: Principal, step: Callable[[Incident, datetime], Change]) -> IncidentView:
        """Raises Problem 404 and 409."""
        return self.desk.views.of(await self.change(number, who, step), who.scope)

    async def change(
        self, number: int, who: Principal, step: Callable[[Incident, datetime], Change | None]
    ) -> Incident:
        """Like `act`, for the incident itself; whatever else `step` raises passes."""

        def within_scope(incident: Incident, now: datetime) -> Change | None:
            if not sees(who.scope, incident):
                raise missing(number)
            return step(incident, now)

        try:
            return await self.desk.act(number, within_scope)
        except NoSuchIncident as exc:
            raise missing(number) from exc
        except AnotherIsOpen as exc:
            raise Problem(409, str(exc), title="Not possible in this state", other=exc.number) from exc
        except WrongTransition as exc:
            raise Problem(
                409,
                str(exc),
                title="Not possible in this state",
                state=exc.incident.state,
                allowed=list(exc.allowed),
                incident=self.desk.views.of(exc.incident, who.scope).model_dump(mode="json"),
            ) from exc


def by(who: Principal, body: Named) -> str:
    """In whose name: as they say where nobody signs in, else as they are known."""
    return body.by if who is LOCAL else who.name


def _of_flags(entries: Iterable[Entry], seen: Collection[str]) -> list[Entry]:
    """The lines without the ids of other flags than these: an id says whom its flag is about."""
    return [one if one.flag_id in seen else msgspec.structs.replace(one, flag_id="") for one in entries]


def missing(number: int) -> Problem:
    return Problem(404, f"there is no incident {number}")


def _service(request: Request) -> Service:
    found: Service = request.app.state.alerts
    return found


Alerts = Annotated[Service, Depends(_service)]
Reader = Annotated[Principal, Depends(authed("floor.read"))]
Actor = Annotated[Principal, Depends(authed("floor.act"))]


def unavailable(_request: Request, exc: Exception) -> Response:
    """The answer when the database is away: 503, with what to do."""
    assert isinstance(exc, StoreError)
    return problem_response(503, f"{exc.told}; nothing was changed, try again", headers={"retry-after": "5"})
