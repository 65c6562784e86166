"""Removes what is older than is kept, a few rows at a time, so that nobody waits for it; the log says how much that was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from msgspec import Struct
from sqlalchemy import ColumnElement, and_, delete, select
from sqlmodel import col

from services.monitor.desk.metrics import DeskMetrics
from services.monitor.desk.store import Store
from services.monitor.desk.tables import ActionRow, CallRow, CaseChangeRow, CaseRow, TransferRow
from services.monitor.listen.work.tables import NoteRow
from shared.clock import Clock
from shared.errors import StoreError

BATCH: Final = 500
PAUSE_S: Final = 0.2  # between batches: others write, too
EVERY_S: Final = 600.0
FIRST_S: Final = 60.0  # a start has other things to do

log = structlog.get_logger()


class Keep(Struct, frozen=True):
    """For how long: finished transfers and calls; closed cases, actions and notes about calls."""

    finished: timedelta = timedelta(days=7)
    cases: timedelta = timedelta(days=365)


async def run(store: Store, clock: Clock, metrics: DeskMetrics, keep: Keep) -> None:
    """Until cancelled. A database that is away is waited for till the next time."""
    await clock.sleep(FIRST_S)
    while True:
        try:
            await purge(store, clock, metrics, keep)
        except StoreError as exc:
            log.warning("what is too old could not be removed", why=str(exc))
        await clock.sleep(EVERY_S)


async def purge(store: Store, clock: Clock, metrics: DeskMetrics, keep: Keep) -> dict[str, int]:
    """Remove everything that is too old now; how many rows of which table. Raises StoreError."""
    now = clock.now()
    removed = {"cases": 0, "transfers": 0, "calls": 0, "actions": 0, "listen_notes": 0}
    for table, step in (
        ("cases", _cases(now - keep.cases)),
        ("transfers", _rows(TransferRow, and_(col(TransferRow.recorded_at) < now - keep.finished, _without_case()))),
        ("calls", _rows(CallRow, col(CallRow.recorded_at) < now - keep.finished)),
        ("actions", _rows(ActionRow, col(ActionRow.done_at) < now - keep.cases)),
        ("listen_notes", _rows(NoteRow, col(NoteRow.written_at) < now - keep.cases)),
    ):
        while True:
            async with store.unit_of_work() as session:
                count = await step(session)
            removed[table] += count
            metrics.removed.labels(table).inc(count)
            if count < BATCH:
                break
            await clock.sleep(PAUSE_S)
    if any(removed.values()):
        log.info("removed what is older than is kept", **removed)
    return removed


def _without_case() -> ColumnElement[bool]:
    return ~(
        select(col(CaseRow.id))
        .where(col(CaseRow.site) == col(TransferRow.site), col(CaseRow.transfer_id) == col(TransferRow.transfer_id))
        .exists()
    )


def _rows(table: Any, condition: ColumnElement[bool]) -> Callable[[Any], Any]:
    async def step(session: Any) -> int:
        numbers = (await session.scalars(select(col(table.id)).where(condition).limit(BATCH))).all()
        if numbers:
            await session.execute(delete(table).where(col(table.id).in_(numbers)))
        return len(numbers)

    return step


def _cases(before: datetime) -> Callable[[Any], Any]:
    """Closed ones, their history first."""

    async def step(session: Any) -> int:
        old = and_(col(CaseRow.status) == "closed", col(CaseRow.changed_at) < before)
        numbers = (await session.scalars(select(col(CaseRow.id)).where(old).limit(BATCH))).all()
        if numbers:
            await session.execute(delete(CaseChangeRow).where(col(CaseChangeRow.case_id).in_(numbers)))
            await session.execute(delete(CaseRow).where(col(CaseRow.id).in_(numbers)))
        return len(numbers)

    return step
