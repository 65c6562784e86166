"""What lists of incidents may be narrowed by, as SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec
from sqlalchemy import ColumnElement, func, or_
from sqlmodel import col

from services.alerts.core.incident import ALLOWED
from services.alerts.core.urgency import FIRST_RESOLVED
from services.alerts.tables import IncidentRow
from services.alerts.visibility import conditions, whole_for
from shared.auth import WHOLE, Scope

UNRESOLVED: Final = {"open", "acknowledged"}
Order = Literal["newest", "urgency"]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of incidents may be narrowed by; empty means everything.

    `before` is an incident's number, for order newest; `behind` its urgency and number, for order urgency: of the page before the
    last one. `held`: held back or not. `since` and `until`: opened then, without the end.
    """

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    rule: str = ""
    site: str = ""
    owner: str = ""
    held: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    scope: Scope = WHOLE
    text: str = ""
    order: Order = "newest"
    before: int | None = None
    behind: tuple[int, int] | None = None
    limit: int = 100


def narrowed(query: Query, *, with_state: bool = True) -> list[ColumnElement[bool]]:
    """The conditions of a query without its page."""
    found = conditions(query.scope)
    if with_state:
        found += _of_states(query.states)
    if query.severities:
        found.append(col(IncidentRow.severity).in_(query.severities))
    for column, wanted in ((IncidentRow.rule, query.rule), (IncidentRow.site, query.site)):
        if wanted:
            found.append(col(column) == wanted)
    if query.owner:
        found.append(col(IncidentRow.owner) == query.owner)
    if query.held is not None:
        found += _held(query.held)
    if query.since is not None:
        found.append(col(IncidentRow.opened_at) >= query.since)
    if query.until is not None:
        found.append(col(IncidentRow.opened_at) < query.until)
    return found + [_matches(word, query.scope) for word in query.text.split()]


def _of_states(states: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """The states as parts of the order by urgency, whose index then finds few among very many. One that is no such part is not
    compared as the bare column: SQLite would take its index and sort everything of that state.
    """
    wanted = set(states)
    if not wanted or wanted == set(ALLOWED):
        return []
    if wanted == {"resolved"}:
        return [col(IncidentRow.urgency) >= FIRST_RESOLVED]
    found: list[ColumnElement[bool]] = [] if "resolved" in wanted else [col(IncidentRow.urgency) < FIRST_RESOLVED]
    if wanted != UNRESOLVED:
        found.append(func.coalesce(col(IncidentRow.state), "").in_(states))
    return found


def _held(held: bool) -> list[ColumnElement[bool]]:
    """What is resolved is not held: nobody is told of it anyway."""
    resolved = col(IncidentRow.state) == "resolved"
    if held:
        return [col(IncidentRow.held) != "", col(IncidentRow.urgency) < FIRST_RESOLVED]
    return [or_(col(IncidentRow.held) == "", resolved)]


def _matches(word: str, scope: Scope) -> ColumnElement[bool]:
    """`word` in what people read of an incident and in its labels; `#42` or `42` is its number too.

    Of one with flags that they may not see only in what is the same for everybody.
    """
    found = col(IncidentRow.words).contains(word.lower(), autoescape=True)
    hits: list[ColumnElement[bool]] = [found]
    if scope.teams is not None or scope.queues is not None:
        plain = (IncidentRow.rule, IncidentRow.site, IncidentRow.owner)
        hits = [
            found & whole_for(scope),
            *(func.lower(col(one)).contains(word.lower(), autoescape=True) for one in plain),
        ]
    number = word.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 10:
        hits.append(col(IncidentRow.id) == int(number))
    return or_(*hits)
