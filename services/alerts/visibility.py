"""Which incidents somebody may see, by what their flags said: site, queue, the agent's team.

- an incident about a site: whoever sees anything of the site
- about a queue or a call: the queue is in the scope
- about an agent or a transfer: the agent's team and the queue are

The same twice: `sees` for one incident, `conditions` for a query.
"""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import col

from services.alerts.tables import IncidentRow
from shared.auth import Scope

_OF_AGENTS = ("agent", "transfer")


class Seen(Protocol):
    """An incident, or its view."""

    @property
    def site(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def labels(self) -> dict[str, str]: ...


def sees(scope: Scope, one: Seen) -> bool:
    """Whether an incident is within the scope."""
    if not scope.site(one.site):
        return False
    if one.subject == "site":
        return True
    if scope.queues is not None and one.labels.get("queue", "") not in scope.queues:
        return False
    return one.subject not in _OF_AGENTS or scope.teams is None or one.labels.get("team", "") in scope.teams


def conditions(scope: Scope) -> list[ColumnElement[bool]]:
    """The same for rows of `incidents`."""
    found: list[ColumnElement[bool]] = []
    if scope.sites is not None:
        found.append(col(IncidentRow.site).in_(scope.sites))
    of_site = col(IncidentRow.subject) == "site"
    if scope.queues is not None:
        found.append(or_(of_site, _label(scope.queues, "queue")))
    if scope.teams is not None:
        found.append(or_(col(IncidentRow.subject).not_in(_OF_AGENTS), _label(scope.teams, "team")))
    return found


def _label(allowed: frozenset[str], name: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.coalesce(col(IncidentRow.labels)[name].as_string(), "").in_(allowed)
    return found
