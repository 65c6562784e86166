"""Whatever there is, a purge removes exactly what is resolved, over and old enough, and nothing that belongs to the rest."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from services.alerts.actions.tables import ActionRow
from services.alerts.app import MIGRATIONS
from services.alerts.retention.groups import GROUPS
from services.alerts.retention.keeping import Retention
from services.alerts.retention.purging import Purges
from services.alerts.tables import EventRow, IncidentRow, PlanRow
from shared.clock import FakeClock
from shared.db import Database
from tests.databases import BOTH, examples, own_database

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Made(NamedTuple):
    """An incident: its state, days since its last change and until its re-check; whether an action is left, something is due."""

    state: str
    age_d: int
    recheck_d: int | None
    to_do: bool
    due: bool
    published: bool


MADE = st.builds(
    Made,
    st.sampled_from([*(["resolved"] * 6), "open", "acknowledged"]),
    st.integers(0, 12),
    st.none() | st.integers(-9, 1),
    *(st.sampled_from([*([False] * 6), True]) for _ in range(2)),
    st.sampled_from([*([True] * 6), False]),
)


# everything around the moment from which on it may go
EDGES = [
    Made(*one) for one in itertools.product(("open", "resolved"), (4, 5, 6), (None, -6, -5, -4), *((False, True),) * 3)
]


@pytest.mark.parametrize("kind", BOTH)
@settings(max_examples=examples(10))
@example(made=EDGES, keep_d=5, batch=100)
@given(made=st.lists(MADE, max_size=16), keep_d=st.integers(1, 8), batch=st.integers(1, 4))
def test_nothing_unresolved_or_younger_or_still_of_use_is_ever_removed(
    kind: str, made: list[Made], keep_d: int, batch: int
) -> None:
    keep = timedelta(days=keep_d)
    retention = Retention({one.name: keep for one in GROUPS})
    staying = {
        number
        for number, one in enumerate(made, start=1)
        if one.state != "resolved"
        or one.age_d <= keep_d
        or one.to_do
        or one.due
        or not one.published
        or (one.recheck_d is not None and one.recheck_d >= -keep_d)
    }

    async def run() -> tuple[set[int], set[int], int]:
        async with own_database(kind, MIGRATIONS) as database:
            await _put(database, made)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("services.alerts.retention.purging.BATCH", batch)
                would = sum(one.rows for one in await Purges(database, FakeClock(NOW)).would(retention))
                row = await Purges(database, FakeClock(NOW)).purge(retention, by="test")
            assert row is not None
            assert row.rows == would
            async with database.reading() as session:
                left = set((await session.scalars(select(col(IncidentRow.id)))).all())
                of = set((await session.scalars(select(col(EventRow.incident_id)))).all())
            return left, of, row.rows  # type: ignore[return-value]

    left, of, rows = asyncio.run(run())
    assert left == of == staying
    assert rows == 2 * (len(made) - len(staying))


async def _put(database: Database, made: list[Made]) -> None:
    same = dict.fromkeys(("site", "rule", "subject", "subject_id", "summary_en", "summary_zh"), "x")
    async with database.unit_of_work() as session:
        session.add(PlanRow(key="p", plan={"routes": {}, "raises": []}))
        await session.flush()
        for number, one in enumerate(made, start=1):
            at = NOW - timedelta(days=one.age_d)
            session.add(
                IncidentRow(
                    id=number,
                    opened_by=f"f{number}",
                    group_key=f"g{number}",
                    severity="info",
                    state=one.state,
                    plan_key="p",
                    recheck_on=None if one.recheck_d is None else (NOW + timedelta(days=one.recheck_d)).date(),
                    next_at=NOW + timedelta(days=1) if one.due else None,
                    **same,
                    **dict.fromkeys(("started", "opened_at", "open_since", "changed_at"), at),
                )
            )
            await session.flush()
            session.add(EventRow(incident_id=number, seq=1, at=at, kind="opened", by="x", published=one.published))
            if one.to_do:
                session.add(ActionRow(incident_id=number, number=1, text="x", owner="x", created_at=at, created_by="x"))
