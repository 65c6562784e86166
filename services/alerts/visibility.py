"""Which incidents somebody may see, by what their flags said: site, queue, the agent's team.

- an incident about a site: whoever sees anything of the site
- about a queue or a call: the queue is in the scope
- about an agent or a transfer: the agent's team and the queue are

The same twice: `sees` for one incident, `conditions` for a query. Whoever sees an incident may not see all of its flags: then its
words are those of what they see (`shown_to`), also where words are searched (`whole_for`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from sqlalchemy import ColumnElement, func, or_, true
from sqlmodel import col

from services.alerts.core.facets import MOST, Facet
from services.alerts.core.incident import Incident
from services.alerts.tables import IncidentRow
from shared.auth import Scope
from shared.codewords import Language, word_for

_OF_AGENTS = ("agent", "transfer")
_SCOPED = ("queue", "team")  # labels that decide who sees it, so who does knows them
_LANGUAGES: tuple[Language, ...] = ("en", "zh")


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


class Words(Struct, frozen=True):
    """What somebody reads of an incident: made from flags that they may see alone."""

    summary_en: str
    summary_zh: str
    subject_id: str
    labels: dict[str, str]


def shown_to(scope: Scope, incident: Incident) -> Words | None:
    """Its words for somebody who may not see all of its flags; None: they may, and read its own."""
    facets = incident.facets
    if not facets or (scope.teams is None and scope.queues is None):
        return None
    seen = [one for one in facets if sees(scope, one)]
    if len(seen) == len(facets) < MOST:
        return None
    return _words_of(incident, seen)


def _words_of(incident: Incident, seen: Sequence[Facet]) -> Words:
    if not seen:
        english, chinese = (word_for("rule", incident.rule, language) or incident.rule for language in _LANGUAGES)
        return Words(english, chinese, "", {name: incident.labels[name] for name in _SCOPED if name in incident.labels})
    newest = seen[0]
    alone = newest.subject_id == incident.subject_id
    labels = {name: value for name, value in incident.labels.items() if newest.labels.get(name) == value}
    return Words(newest.summary_en, newest.summary_zh, incident.subject_id if alone else "", labels)


def whole_for(scope: Scope) -> ColumnElement[bool]:
    """Of rows of `incidents`: those whose flags somebody who sees them sees all."""
    if scope.teams is None and scope.queues is None:
        return true()
    return ~col(IncidentRow.mixed)


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
