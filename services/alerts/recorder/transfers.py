"""Transfers over a period: outcomes, legs, and what slow or failed ones have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.periodic.period import Period
from services.alerts.recorder import spread
from services.alerts.recorder.figures import Cause, TransferFigures
from services.alerts.recorder.people import People
from services.alerts.recorder.tables import CallRow, TransferRow
from shared.servicelevels import share

LEGS: Final = ("seek", "ring", "brief", "customer_gap", "total")
KINDS: Final = ("blind", "attended", "queue")
MOST_CAUSES: Final = 10
_SECOND: Final = 1_000_000

Label = Callable[[tuple[str, ...]], tuple[str, ...]]


async def figures(session: AsyncSession, site: str, who: People, period: Period) -> TransferFigures:
    """Transfers that ended in the period."""
    row = TransferRow
    where = (col(row.site) == site, col(row.ended_at) >= period.start, col(row.ended_at) < period.end)
    by = (col(row.outcome), col(row.kind), col(row.slow), col(row.bridged_at).is_not(None))
    outcomes: dict[str, int] = {}
    kinds: dict[str, int] = {}
    verdicts = {"yes": 0, "no": 0, "cannot_tell": 0}
    for outcome, kind, slow, bridged, count in await session.execute(
        select(*by, func.count()).where(*where).group_by(*by)
    ):
        outcomes[outcome] = outcomes.get(outcome, 0) + count
        kinds[kind] = kinds.get(kind, 0) + count
        if bridged and slow is not None:
            verdicts[slow] += count
    judged = sum(verdicts.values())

    def people(key: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(who.name, key))

    def target(key: tuple[str, ...]) -> tuple[str, ...]:
        kind, queue, agent, number = key
        return (kind, (who.config.queue(queue).label or queue) if queue else who.name(agent) if agent else number)

    def queue(key: tuple[str, ...]) -> tuple[str, ...]:
        return (who.config.queue(key[0]).label or key[0],)

    to_agent = case((col(row.to_queue) == "", col(row.to_agent)), else_="")
    to_number = case((to_agent == "", case((col(row.to_queue) == "", col(row.to_number)), else_="")), else_="")
    return TransferFigures(
        count=sum(outcomes.values()),
        outcomes=dict(sorted(outcomes.items())),
        kinds=dict(sorted(kinds.items())),
        judged=judged,
        slow=verdicts["yes"],
        cannot_tell=verdicts["cannot_tell"],
        slow_share=share(verdicts["yes"], judged),
        cannot_tell_share=share(verdicts["cannot_tell"], judged),
        legs={leg: await spread.in_database(session, col(getattr(row, f"{leg}_us")), *where) for leg in LEGS},
        by_kind={
            kind: await spread.in_database(session, col(row.total_us), *where, col(row.kind) == kind)
            for kind in KINDS
            if kind in kinds
        },
        by_reason=await _causes(session, where, (col(row.outcome), col(row.reason)), lambda key: key),
        by_target=await _causes(session, where, (col(row.kind), col(row.to_queue), to_agent, to_number), target),
        by_agent=await _causes(session, where, (col(row.from_agent),), people),
        by_pair=await _causes(
            session, (*where, col(row.to_agent) != ""), (col(row.from_agent), col(row.to_agent)), people
        ),
        by_queue=await _causes(session, where, (_queue_of_call(),), queue, known=0),
    )


def _queue_of_call() -> ColumnElement[str]:
    """The queue that the call was taken from last before the transfer; "" of a call that never queued, or runs yet."""
    call, row = CallRow, TransferRow
    found = (
        select(col(call.queue))
        .where(
            col(call.site) == col(row.site),
            col(call.call_id) == col(row.call_id),
            col(call.started_at) <= col(row.requested_at),
        )
        .order_by(col(call.started_at).desc(), col(call.record_id))
        .limit(1)
        .correlate(row)
        .scalar_subquery()
    )
    return func.coalesce(found, "")


async def _causes(
    session: AsyncSession,
    where: Sequence[ColumnElement[bool]],
    by: Sequence[Any],
    label: Label,
    *,
    known: int | None = None,
) -> tuple[Cause, ...]:
    """What most transfers have in common; `known`: which name of the key must not be empty."""
    row = TransferRow
    names = [one.label(f"key_{number}") for number, one in enumerate(by)]
    bridged = col(row.bridged_at).is_not(None)
    found = select(
        *names,
        cast(case((bridged & (col(row.slow) == "yes"), 1), else_=0), Integer).label("slow"),
        cast(case((bridged & (col(row.slow) == "cannot_tell"), 1), else_=0), Integer).label("cannot_tell"),
        cast(case((col(row.outcome).in_(("failed", "cancelled", "abandoned")), 1), else_=0), Integer).label(
            "not_completed"
        ),
        col(row.total_us).label("total_us"),
    ).where(*where)
    inner = found.subquery()
    keys = [inner.c[f"key_{number}"] for number in range(len(by))]
    count = func.count().label("count")
    statement = select(
        *keys,
        count,
        func.sum(inner.c.slow),
        func.sum(inner.c.cannot_tell),
        func.sum(inner.c.not_completed),
        func.sum(inner.c.total_us),
        func.count(inner.c.total_us),
        func.max(inner.c.total_us),
    )
    if known is not None:
        statement = statement.where(keys[known] != "")
    rows = await session.execute(statement.group_by(*keys).order_by(count.desc(), *keys).limit(MOST_CAUSES))
    causes = []
    for one in rows:
        key, (number, slow, cannot_tell, not_completed, total, of, most) = tuple(one[: len(by)]), one[len(by) :]
        causes.append(
            Cause(
                key=key,
                label=label(key),
                count=number,
                slow=int(slow),
                cannot_tell=int(cannot_tell),
                not_completed=int(not_completed),
                mean_s=int(total) / of / _SECOND if of else None,
                max_s=None if most is None else int(most) / _SECOND,
            )
        )
    return tuple(causes)
