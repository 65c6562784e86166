"""Reads `floor.records` into the database, for reports; the way `shared.intake` reads any topic into one.

It has positions of its own, so flags and records wait for each other nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.recorder import store
from services.alerts.recorder.metrics import RecorderMetrics
from services.alerts.recorder.passed import Reached
from services.alerts.recorder.reading import Recorded, read
from services.alerts.recorder.tables import SiteRow
from services.alerts.tables import PositionRow
from shared.bus import Bus, Partition, Record
from shared.clock import Clock
from shared.db import Database, insert_into
from shared.intake import Intake, Item, after, fresh
from shared.positions import Position, Positions
from shared.recording import Recording
from shared.siteconfig import Sites
from shared.topics import FLOOR_RECORDS

# A transaction holds SQLite's only lock, which flags need as well: some fifty milliseconds each, one a second while little comes,
# and a gap between them while much does, or who waits for the lock would hardly get it.
BATCH: Final = 500
REST_S: Final = 1.0
GAP_S: Final = 0.03

Keep = Callable[[], timedelta | None]  # how long records are kept; None: for ever


class Recorder:
    """The records' way into the database, as `shared.intake` sees both of its ends."""

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        clock: Clock,
        sites: Sites,
        metrics: RecorderMetrics,
        keep: Keep,
        rest_s: float = REST_S,
    ) -> None:
        """What was written to the log longer ago than `keep` is not worth a row: it would be removed at once."""
        self._database = database
        self._clock = clock
        self._sites = sites
        self._metrics = metrics
        self._keep = keep
        self._intake: Intake[Recorded] = Intake(
            "alerts",
            FLOOR_RECORDS,
            bus=bus,
            clock=clock,
            read=self.read,
            sink=self,
            watch=Recording(
                FLOOR_RECORDS,
                metrics,
                works="recording what is finished, for reports",
                waits="nothing is recorded for reports; it waits in its topic",
            ),
            batch=BATCH,
            rest_s=rest_s,
        )

    async def run(self) -> None:
        """Until cancelled."""
        await self._intake.run()

    def read(self, record: Record) -> Recorded | None:
        """The row that `record` makes; None for what is too old. Raises InvalidInput like `reading.read`."""
        keep = self._keep()
        if keep is not None and record.written < self._clock.now() - keep:
            self._metrics.passed.inc()
            return None
        return read(record)

    # ------------------------------------------------------------ the sink

    async def positions(self) -> Mapping[Partition, Position]:
        async with self._database.reading() as session:
            return await Positions(session, PositionRow).all(FLOOR_RECORDS.name)

    async def take(self, items: Sequence[Item[Recorded]]) -> None:
        began = self._clock.monotonic()
        async with self._database.unit_of_work() as session:
            stored = await self._locked(session, items)
            new = fresh(items, stored)
            news = await self._news(session, [item.fact for item in new if item.fact is not None])
            written = await store.write(session, news, self._zone)
            await Positions(session, PositionRow).save(after(new), self._clock.now())
        for kind, count in written.items():
            self._metrics.recorded.labels(kind).inc(count)
        self._metrics.batch.observe(self._clock.monotonic() - began)
        if len(items) >= BATCH - 1:
            await self._clock.sleep(GAP_S)

    async def _locked(self, session: AsyncSession, items: Sequence[Item[Recorded]]) -> dict[Partition, Position]:
        """The positions; another instance waits here until this one is done, also where there was none yet."""
        now = self._clock.now()
        rows = [
            {"topic": topic, "partition": partition, "next_offset": 0, "last_record": "", "updated_at": now}
            for topic, partition in sorted({item.partition for item in items})
        ]
        statement = insert_into(session, store.table_of(PositionRow)).on_conflict_do_nothing()
        await session.execute(statement, rows)
        return await Positions(session, PositionRow).all(FLOOR_RECORDS.name, for_change=True)

    async def _news(self, session: AsyncSession, records: Sequence[Recorded]) -> list[Recorded]:
        """What was not told before; the sites' positions go on to the last."""
        sites = sorted({one.site for one in records})
        rows = {row.site: row for row in await session.scalars(select(SiteRow).where(col(SiteRow.site).in_(sites)))}
        reached = {
            site: Reached(row.raw_partition, row.raw_offset, row.raw_index, row.until) for site, row in rows.items()
        }
        found = []
        for one in records:
            at = reached.setdefault(one.site, Reached(-1, -1, 0, one.time))
            if not at.passed(one):
                found.append(one)
        await _keep(session, reached)
        self._metrics.passed.inc(len(records) - len(found))
        return found

    async def start_anew(self) -> None:
        """Positions of the new log begin anew; what is known stays, and is put right by its keys."""
        async with self._database.unit_of_work() as session:
            await Positions(session, PositionRow).forget(FLOOR_RECORDS.name)
            await session.execute(update(SiteRow).values(raw_partition=-1, raw_offset=-1, raw_index=0))

    def _zone(self, site: str) -> str:
        return self._sites.site(site).time_zone


async def _keep(session: AsyncSession, reached: Mapping[str, Reached]) -> None:
    rows = [
        {"site": site, "raw_partition": at.partition, "raw_offset": at.offset, "raw_index": at.index, "until": at.until}
        for site, at in sorted(reached.items())
    ]
    if rows:
        new = insert_into(session, store.table_of(SiteRow))
        changed = {name: new.excluded[name] for name in rows[0] if name != "site"}
        await session.execute(new.on_conflict_do_update(index_elements=["site"], set_=changed), rows)
