"""Publishes every line of every incident's history on `incidents`, once at least and an incident's in their order.

A line is marked only when the broker has acknowledged it, so a crash in between publishes it again, with the same id. While the
broker is away lines wait in the database. Of several instances one publishes (`lease`); when it dies another takes over.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.alerts.publishing.lease import claim, give_up
from services.alerts.publishing.lines import Line, Lines
from shared.backoff import Backoff
from shared.bus import Bus
from shared.clock import Clock
from shared.codec import encode
from shared.db import Database
from shared.errors import BusError, InvalidInput, StoreError
from shared.incidentfacts import IncidentFact
from shared.topics import INCIDENTS
from shared.waiting import wait

log = structlog.get_logger(__name__)

LEASE: Final = "incidents"
LASTING: Final = timedelta(seconds=15)
RENEW_S: Final = 5.0  # who has the lease says so again only when it is as old as this
BATCH: Final = 200
GATHER_S: Final = 0.1  # so that many lines go together, and who tells people has the first turn to write
LOOK_S: Final = 2.0  # what another instance wrote
RETRY_S: Final = 5.0


class Publisher:
    """One instance's. `more` is set when the database may have lines that wait; `holder` names the instance."""

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        clock: Clock,
        more: asyncio.Event,
        registry: CollectorRegistry,
        holder: str = "",
    ) -> None:
        """`bus`: for this writer alone, as every writer needs (`shared.bus`)."""
        self._bus = bus
        self._database = database
        self._clock = clock
        self._more = more
        self._holder = holder or uuid.uuid4().hex
        self._made = False
        self._claimed_s = -LASTING.total_seconds()  # when the lease was had for certain
        self._trouble = ""
        self._backoff = Backoff(RETRY_S)
        self._published = Counter(
            "alerts_lines_published",
            "Lines of incidents' histories published on the topic incidents",
            registry=registry,
        )
        self._waiting = Gauge(
            "alerts_lines_unpublished", "Lines of incidents' histories that wait to be published", registry=registry
        )

    async def run(self) -> None:
        """Until cancelled; then another instance may go on at once."""
        try:
            while True:
                await self._turn()
        finally:
            await self._give_up()

    async def _turn(self) -> None:
        self._more.clear()
        try:
            while await self.publish():
                pass
            self._say("")
        except (BusError, StoreError) as exc:
            self._made = False
            self._say(str(exc))
            await self._clock.sleep(self._backoff.next_s())  # nothing that is written meanwhile makes it sooner
            return
        await wait(self._more, self._clock, self._clock.now() + timedelta(seconds=LOOK_S))
        await self._clock.sleep(GATHER_S)

    async def publish(self) -> int:
        """Publish the next lines; how many. 0 while another instance does. Raises BusError, StoreError."""
        async with self._database.reading() as session:
            waiting = await Lines(session).count()
        self._waiting.set(waiting)
        if not waiting or not await self._is_mine():
            return 0
        async with self._database.reading() as session:
            lines = await Lines(session).waiting(BATCH)
        await self._send(lines)
        async with self._database.unit_of_work() as session:
            await Lines(session).done(line.row for line in lines)
        self._waiting.set(max(0, waiting - len(lines)))
        self._published.inc(len(lines))
        return len(lines)

    async def _is_mine(self) -> bool:
        """Whether this instance publishes now, for `LASTING - RENEW_S` at least."""
        now_s = self._clock.monotonic()
        if now_s - self._claimed_s >= RENEW_S:
            async with self._database.unit_of_work() as session:
                mine = await claim(session, LEASE, self._holder, self._clock.now(), LASTING)
            if not mine:
                return False
            self._claimed_s = now_s
        return True

    async def _send(self, lines: Sequence[Line]) -> None:
        if not self._made:
            await self._bus.create([INCIDENTS])
            self._made = True
        for line in lines:
            fact = line.fact
            try:
                await self._bus.publish(INCIDENTS, encode(fact), key=fact.site)
            except InvalidInput as exc:
                log.warning("a line of an incident is too long for the topic; told without its details", why=str(exc))
                await self._bus.publish(INCIDENTS, encode(_short(fact)), key=fact.site)
        await self._bus.flush()

    async def _give_up(self) -> None:
        try:
            async with self._database.unit_of_work() as session:
                await give_up(session, LEASE, self._holder, self._clock.now())
        except StoreError as exc:
            log.info("another instance publishes incidents when its turn has come", why=str(exc))

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("incidents are not published; they wait in the database", reason=trouble)
        if self._trouble and not trouble:
            log.info("incidents are published again")
        self._trouble = trouble


def _short(fact: IncidentFact) -> IncidentFact:
    """What fits whatever somebody wrote."""
    cut = msgspec.structs.replace(fact.data, note=fact.data.note[:1000], details={}, labels={})
    return msgspec.structs.replace(fact, data=cut)
