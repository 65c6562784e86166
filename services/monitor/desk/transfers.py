"""Finished transfers: found again, filtered, page by page."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, UnaryExpression, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk.casebook import case_of
from services.monitor.desk.tables import CallRow, CaseRow, TransferRow
from services.monitor.desk.views import Case, FinishedTransfer
from shared.errors import InvalidInput

Sort = Literal["worst", "newest"]
WithCase = Literal["any", "open", "closed", "none", "some"]

_SAME: Final = (
    "site", "transfer_id", "call_id", "kind", "from_agent", "to_agent", "to_queue", "to_number", "requested", "ringing",
    "answered", "bridged", "released", "ended", "outcome", "slow", "total_s", "customer_gap_s", "precision_ms", "reason",
    "seek_s", "ring_s", "brief_s",
)  # fmt: skip
_WORDS_IN: Final = ("transfer_id", "call_id", "from_agent", "from_name", "to_agent", "to_name", "to_queue", "to_number",
                    "reason")  # fmt: skip


class Query(Struct, frozen=True, kw_only=True):
    """What a list may be narrowed by; empty means everything. `after`: the row after which the page begins."""

    sites: frozenset[str] | None = None
    agent: str = ""
    queue: str = ""
    slow: str = ""
    outcome: str = ""
    case: WithCase = "any"
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    sort: Sort = "newest"
    after: After | None = None
    limit: int = 100


class After(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row's place in its order, as a cursor tells it."""

    sort: Sort
    id: int
    requested: datetime | None = None
    tier: int = 0
    took_us: int = 0

    def cursor(self) -> str:
        """For the client, who need not read it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class Found(Struct, frozen=True):
    """A row with what decides who may see it."""

    row: TransferRow
    case: Case | None

    def after(self, sort: Sort) -> After:
        """Where a page that ends with this row goes on."""
        assert self.row.id is not None
        if sort == "newest":
            return After(sort=sort, id=self.row.id, requested=self.row.requested)
        return After(sort=sort, id=self.row.id, tier=self.row.tier, took_us=self.row.took_us)


def read_cursor(cursor: str, sort: Sort) -> After:
    """Raises InvalidInput `cursor` for one that is not ours or of another order."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=After)
    except (binascii.Error, ValueError, msgspec.DecodeError) as exc:
        raise InvalidInput("cursor", "cursor: not one that this service gave; leave it out for the first page") from exc
    fits = found.sort == sort and (
        sort == "worst" or (found.requested is not None and found.requested.tzinfo is not None)
    )
    if not fits or not 0 < found.id < 2**31 or not 0 <= found.took_us < 2**63 or abs(found.tier) > 9:
        raise InvalidInput("cursor", f"cursor: not of a list sorted by {sort}; leave it out for the first page")
    return found


class Transfers:
    """Queries of finished transfers."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, site: str, transfer_id: str) -> TransferRow | None:
        """The finished transfer, if it was recorded and is still kept."""
        return await self._session.scalar(
            select(TransferRow).where(col(TransferRow.site) == site, col(TransferRow.transfer_id) == transfer_id)
        )

    async def find(self, query: Query) -> list[Found]:
        """Those that fit in the query's order, `limit` at most."""
        its_case = and_(
            col(CaseRow.site) == col(TransferRow.site), col(CaseRow.transfer_id) == col(TransferRow.transfer_id)
        )
        statement = select(TransferRow, CaseRow).outerjoin(CaseRow, its_case).where(*_conditions(query))
        if query.after is not None:
            statement = statement.where(_beyond(query.after))
        order: tuple[UnaryExpression[Any], ...] = (col(TransferRow.requested).desc(), col(TransferRow.id).desc())
        if query.sort == "worst":
            order = (col(TransferRow.tier).desc(), col(TransferRow.took_us).desc(), col(TransferRow.id).desc())
        rows = await self._session.execute(statement.order_by(*order).limit(query.limit))
        return [Found(row, None if case is None else case_of(case)) for row, case in rows.all()]


def transfer_of(row: TransferRow, case: Case | None, *, from_name: str = "", to_name: str = "") -> FinishedTransfer:
    """The row as it is answered; names as known now go before those of when it was recorded."""
    return FinishedTransfer(
        from_name=from_name or row.from_name or row.from_agent,
        to_name=to_name or row.to_name or row.to_agent,
        case=case,
        **{name: getattr(row, name) for name in _SAME},
    )


def _beyond(after: After) -> ColumnElement[bool]:
    number = col(TransferRow.id)
    if after.sort == "newest":
        requested = col(TransferRow.requested)
        return or_(requested < after.requested, and_(requested == after.requested, number < after.id))
    tier, took = col(TransferRow.tier), col(TransferRow.took_us)
    return or_(
        tier < after.tier,
        and_(tier == after.tier, took < after.took_us),
        and_(tier == after.tier, took == after.took_us, number < after.id),
    )


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.sites is not None:
        found.append(col(TransferRow.site).in_(sorted(query.sites)))
    if query.agent:
        found.append(or_(col(TransferRow.from_agent) == query.agent, col(TransferRow.to_agent) == query.agent))
    if query.queue:
        found.append(or_(col(TransferRow.to_queue) == query.queue, _came_by(query.queue)))
    if query.slow:
        found.append(col(TransferRow.slow) == query.slow)
    if query.outcome:
        found.append(col(TransferRow.outcome) == query.outcome)
    if query.case == "none":
        found.append(col(CaseRow.id).is_(None))
    elif query.case == "some":
        found.append(col(CaseRow.id).is_not(None))
    elif query.case != "any":
        found.append(col(CaseRow.status) == query.case)
    if query.since is not None:
        found.append(col(TransferRow.requested) >= query.since)
    if query.until is not None:
        found.append(col(TransferRow.requested) < query.until)
    found += [_matches(word) for word in query.text.split()]
    return found


def _came_by(queue: str) -> ColumnElement[bool]:
    """The call came by this queue."""
    return (
        select(col(CallRow.id))
        .where(
            col(CallRow.site) == col(TransferRow.site),
            col(CallRow.call_id) == col(TransferRow.call_id),
            col(CallRow.queue) == queue,
        )
        .exists()
    )


def _matches(word: str) -> ColumnElement[bool]:
    """`word` in what people read of a transfer and its case."""
    hits = [col(getattr(TransferRow, name)).icontains(word, autoescape=True) for name in _WORDS_IN]
    hits += [col(getattr(CaseRow, name)).icontains(word, autoescape=True) for name in ("note", "follow_up", "reason")]
    return or_(*hits)
