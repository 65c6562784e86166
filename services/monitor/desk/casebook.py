"""Cases and their history. Whoever changes one names the version that they saw, so that no change is lost unseen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk.tables import CaseChangeRow, CaseRow
from services.monitor.desk.views import Case, CaseChange, CaseStatus
from shared.errors import FloorwatchError

FIELDS: Final = ("status", "reason", "note", "follow_up", "follow_up_on")


class CaseDraft(Struct, frozen=True, kw_only=True):
    """A case as somebody wants it to be. `version`: of the case that they saw, 0 when there was none."""

    status: CaseStatus
    reason: str
    note: str
    follow_up: str
    follow_up_on: date | None
    version: int


class CaseChangedMeanwhile(FloorwatchError):
    """The case is no longer at the version that the change was made for."""


class Casebook:
    """Queries of cases; the caller's unit of work commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, site: str, transfer_id: str) -> Case | None:
        """The transfer's case with its history, oldest change first."""
        row = await self._row(site, transfer_id)
        if row is None:
            return None
        changes = await self._session.scalars(
            select(CaseChangeRow).where(col(CaseChangeRow.case_id) == row.id).order_by(col(CaseChangeRow.version))
        )
        return case_of(row, tuple(_change_of(change) for change in changes))

    async def of(self, transfers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Case]:
        """The cases of these transfers (site and id), without their history."""
        keys = list(transfers)
        if not keys:
            return {}
        rows = await self._session.scalars(
            select(CaseRow).where(tuple_(col(CaseRow.site), col(CaseRow.transfer_id)).in_(keys))
        )
        return {(row.site, row.transfer_id): case_of(row) for row in rows}

    async def put(self, site: str, transfer_id: str, draft: CaseDraft, *, by: str, by_name: str, now: datetime) -> Case:
        """Open the case or change it. What is as it was already makes no new version.

        Raises CaseChangedMeanwhile when `draft` was made for another version.
        """
        row = await self._row(site, transfer_id, for_change=True)
        if draft.version != (row.version if row else 0):
            raise CaseChangedMeanwhile(_meanwhile(row))
        changes = {
            name: [None if row is None else _plain(getattr(row, name)), _plain(getattr(draft, name))]
            for name in FIELDS
            if row is None or getattr(row, name) != getattr(draft, name)
        }
        if changes:
            number = await (
                self._open(site, transfer_id, draft, by, now) if row is None else self._step(row, draft, by, now)
            )
            self._session.add(
                CaseChangeRow(
                    case_id=number, version=draft.version + 1, at=now, by=by, by_name=by_name, changes=changes
                )
            )
            await self._session.flush()
        found = await self.get(site, transfer_id)
        assert found is not None
        return found

    async def _row(self, site: str, transfer_id: str, *, for_change: bool = False) -> CaseRow | None:
        query = select(CaseRow).where(col(CaseRow.site) == site, col(CaseRow.transfer_id) == transfer_id)
        query = query.execution_options(populate_existing=True)
        return await self._session.scalar(query.with_for_update() if for_change else query)

    async def _open(self, site: str, transfer_id: str, draft: CaseDraft, by: str, now: datetime) -> int:
        row = CaseRow(
            site=site,
            transfer_id=transfer_id,
            version=1,
            opened_at=now,
            opened_by=by,
            changed_at=now,
            changed_by=by,
            **{name: getattr(draft, name) for name in FIELDS},
        )
        self._session.add(row)
        try:
            await self._session.flush()
        except IntegrityError as exc:  # somebody else opened it at the same moment
            raise CaseChangedMeanwhile("somebody else opened a case of this transfer just now") from exc
        assert row.id is not None
        return row.id

    async def _step(self, row: CaseRow, draft: CaseDraft, by: str, now: datetime) -> int:
        assert row.id is not None
        values = {name: getattr(draft, name) for name in FIELDS}
        await self._session.execute(
            update(CaseRow)
            .where(col(CaseRow.id) == row.id)
            .values(version=row.version + 1, changed_at=now, changed_by=by, **values)
        )
        return row.id


def case_of(row: CaseRow, history: tuple[CaseChange, ...] | None = None) -> Case:
    """The row as it is answered."""
    same = (*FIELDS, "site", "transfer_id", "version", "opened_at", "opened_by", "changed_at", "changed_by")
    return Case(history=history, **{name: getattr(row, name) for name in same})


def _change_of(row: CaseChangeRow) -> CaseChange:
    changes = {name: tuple(pair) for name, pair in row.changes.items()}
    return CaseChange(version=row.version, at=row.at, by=row.by, by_name=row.by_name, changes=changes)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _meanwhile(row: CaseRow | None) -> str:
    if row is None:
        return "this transfer has no case yet: send version 0"
    return f"{row.changed_by} changed this case meanwhile: it is at version {row.version}"
