"""Keeps alerts in Alertmanager for as long as their incidents are unresolved: it forgets what it does not hear of again."""

from __future__ import annotations

import structlog
from sqlalchemy import or_
from sqlmodel import col

from services.alerts.alertfile.live import InForce
from services.alerts.reach.alertmanager import AFTER, EVERY
from services.alerts.reach.queue import Queue
from services.alerts.reach.states import ReceiverStates
from services.alerts.tables import IncidentRow
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError

log = structlog.get_logger(__name__)


class Upkeep:
    """Every instance does it: what is the same twice is one alert."""

    def __init__(self, database: Database, in_force: InForce, states: ReceiverStates, clock: Clock) -> None:
        self._database = database
        self._in_force = in_force
        self._states = states
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(EVERY.total_seconds())
            try:
                await self.step()
            except StoreError as exc:
                log.warning("cannot keep up alerts in Alertmanager", reason=str(exc))

    async def step(self) -> None:
        """Send every alert that stands once more, and the ends of the last quarter of an hour. Raises StoreError."""
        for lane, channel in self._in_force.channels.alertmanagers.items():
            now = self._clock.now()
            async with self._database.reading() as session:
                told = await Queue(session).told_to(
                    lane, or_(col(IncidentRow.state) != "resolved", col(IncidentRow.resolved_at) > now - AFTER)
                )
            answer = await channel.keep(told, now)
            if not answer.ok:
                self._states.attempted(lane.receiver, "failed")
                log.warning("alerts were not kept up", receiver=lane.receiver, number=len(told), answer=answer.text)
