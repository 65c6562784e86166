"""Reads `floor.flags` into incidents, the way `shared.intake` reads any topic into a database.

When the log was replaced, or records of it were gone before they were read, known flags change nothing, and what had not
ended by then ends unheard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from services.alerts.core.incident import Clearing, Flag
from services.alerts.desk import Desk
from services.alerts.intake import read
from services.alerts.link import Link
from services.alerts.metrics import AlertsMetrics
from services.alerts.repositories import Positions
from shared.bus import Bus, Partition
from shared.clock import Clock
from shared.db import Database
from shared.errors import BusError, StoreError
from shared.intake import Intake, Item
from shared.positions import Position
from shared.topics import FLOOR_FLAGS

log = structlog.get_logger(__name__)

# Whoever acknowledges waits for a transaction of ours, and in a storm of many small ones comes hardly in between. What comes
# alone waits for nothing.
BATCH: Final = 200
REST_S: Final = 0.05


class Pipeline:
    """The flags' way into the database, as `shared.intake` sees both of its ends."""

    def __init__(
        self, *, bus: Bus, database: Database, desk: Desk, clock: Clock, link: Link, metrics: AlertsMetrics
    ) -> None:
        self._database = database
        self._desk = desk
        self._link = link
        self._metrics = metrics
        self._intake = Intake(
            "alerts",
            FLOOR_FLAGS,
            bus=bus,
            clock=clock,
            read=read,
            sink=self,
            watch=self,
            batch=BATCH,
            rest_s=REST_S,
        )

    async def run(self) -> None:
        """Until cancelled."""
        await self._intake.run()

    # ------------------------------------------------------------ the sink

    async def positions(self) -> Mapping[Partition, Position]:
        async with self._database.reading() as session:
            return await Positions(session).all(FLOOR_FLAGS.name)

    async def take(self, items: Sequence[Item[Flag | Clearing]]) -> None:
        await self._desk.take(FLOOR_FLAGS.name, items)

    async def start_anew(self) -> None:
        await self._desk.start_anew(FLOOR_FLAGS.name)

    # ------------------------------------------------------------ who hears how it goes

    def live(self) -> None:
        if self._link.status.state != "live":
            log.info("reading flags", topic=FLOOR_FLAGS.name)
        self._link.live()
        self._metrics.connected.set(1)

    def lost(self, why: BusError | StoreError) -> None:
        told = why.told if isinstance(why, StoreError) else str(why)
        if self._link.status.reason != told:
            log.warning("flags do not arrive", reason=str(why))
        self._link.lost(told)
        self._metrics.connected.set(0)

    def refused(self, reason: str) -> None:
        self._metrics.dead_letters.labels(reason).inc()

    def not_kept(self, records: int) -> None:
        self._metrics.not_kept.inc(records)

    def lag(self, records: int) -> None:
        self._metrics.lag.set(records)
